// Package token turns a causal context into the causal-metadata text that clients carry, and back.
//
// Layout, before base64url without padding: version byte, cluster id (8 bytes), context, SipHash-2-4
// of all that (8 bytes) under a secret that only the members of the store know. A client can
// therefore neither forge a token nor combine parts of two, and a node never has to guess whether a
// token is plausible.
package token

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/dchest/siphash"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/codec"
)

const (
	version   = 1
	macLength = 8
	maxText   = 16 << 10 // far above any honest token: a thousand replicas need 12 KiB
)

// Errors of Parse. Each text is shown to the client.
var (
	ErrMalformed = errors.New("causal-metadata is not a token of this store; send back what a response gave, or nothing")
	ErrCluster   = errors.New("causal-metadata comes from another store; drop it")
	ErrMAC       = errors.New("causal-metadata was changed on its way; send back exactly what a response gave")
)

// ClusterID identifies a store for ever; zero is none.
type ClusterID uint64

// Secret is the key of the MAC.
type Secret [16]byte

// Codec encodes and parses the tokens of one store. It is a value and safe for concurrent use.
type Codec struct {
	cluster ClusterID
	k0, k1  uint64
	base64  *base64.Encoding
}

// NewCodec makes the codec for a store.
func NewCodec(cluster ClusterID, secret Secret) Codec {
	r := codec.NewReader(secret[:])
	// Strict, or one token would have several texts.
	return Codec{cluster: cluster, k0: r.Fixed64(), k1: r.Fixed64(), base64: base64.RawURLEncoding.Strict()}
}

// Append appends the text of c to buf: nothing for the zero context. The same context always gives
// the same bytes. scratch is working memory; it is returned, perhaps grown, for the next call.
func (k Codec) Append(buf, scratch []byte, c causal.Context) (text, grown []byte) {
	if c.IsZero() {
		return buf, scratch
	}
	return k.seal(buf, causal.AppendContext(k.begin(scratch), c))
}

// AppendPacked is Append for a context in its packed form.
func (k Codec) AppendPacked(buf, scratch []byte, p causal.Packed) (text, grown []byte) {
	if len(p) == 0 {
		return buf, scratch
	}
	return k.seal(buf, append(k.begin(scratch), p...))
}

// begin writes what stands before the context.
func (k Codec) begin(scratch []byte) []byte {
	return codec.AppendFixed64(append(scratch[:0], version), uint64(k.cluster))
}

// seal appends the MAC to a raw token, and the text of the whole to buf.
func (k Codec) seal(buf, raw []byte) (text, grown []byte) {
	raw = codec.AppendFixed64(raw, siphash.Hash(k.k0, k.k1, raw))
	return k.base64.AppendEncode(buf, raw), raw
}

// Merge parses text, a list of tokens separated by commas, and merges them into c. Spaces around a
// token and empty tokens are allowed: they depend on nothing. scratch and spare are working memory
// and are returned, perhaps grown. On an error c is unchanged in meaning but may have merged the
// tokens before the bad one.
func (k Codec) Merge(c *causal.Context, text string, scratch []byte, spare causal.Vector) ([]byte, causal.Vector, error) {
	for text != "" {
		one := text
		if comma := strings.IndexByte(text, ','); comma >= 0 {
			one, text = text[:comma], text[comma+1:]
		} else {
			text = ""
		}
		if one = strings.Trim(one, " \t"); one == "" {
			continue
		}
		var got causal.Context
		var err error
		if got, scratch, err = k.parse(one, scratch, spare); err != nil {
			return scratch, spare, err
		}
		spare = got.Vector
		c.Merge(got)
	}
	return scratch, spare, nil
}

func (k Codec) parse(text string, scratch []byte, spare causal.Vector) (causal.Context, []byte, error) {
	if len(text) > maxText {
		return causal.Context{}, scratch, ErrMalformed
	}
	scratch = append(scratch[:0], text...) // a copy in reused memory: the conversion of a string would allocate
	scratch, err := k.base64.AppendDecode(scratch, scratch)
	raw := scratch[min(len(text), len(scratch)):]
	// The base64 decoder skips line breaks, which no token contains.
	if err != nil || len(raw) < 1+8+macLength || strings.ContainsAny(text, "\r\n") {
		return causal.Context{}, scratch, ErrMalformed
	}
	body, mac := raw[:len(raw)-macLength], codec.NewReader(raw[len(raw)-macLength:])
	r := codec.NewReader(body)
	if r.Byte() != version {
		return causal.Context{}, scratch, ErrMalformed
	}
	if ClusterID(r.Fixed64()) != k.cluster {
		return causal.Context{}, scratch, ErrCluster
	}
	if siphash.Hash(k.k0, k.k1, body) != mac.Fixed64() {
		return causal.Context{}, scratch, ErrMAC
	}
	c := causal.ReadContext(&r, spare)
	if r.Close() != nil || c.IsZero() {
		return causal.Context{}, scratch, ErrMalformed
	}
	return c, scratch, nil
}
