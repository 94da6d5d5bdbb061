package httpnode

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/sequitur-kv/sequitur/core"
)

// Defaults of Config.
const (
	DefaultMaxKeyLength = 1024    // bytes
	DefaultMaxValueSize = 1 << 20 // bytes

	DefaultMaxConnections = 16_384

	// LargestMaxValueSize bounds Config.MaxValueSize: a value, and all that a message may carry beside
	// it, fits into a frame, or its replicas would never get it.
	LargestMaxValueSize = 32 << 20 // bytes

	// LargestMaxKeyLength bounds Config.MaxKeyLength by the size of a request's header.
	LargestMaxKeyLength = 8 << 10 // bytes
)

// Config is what a node is started with.
type Config struct {
	// Machine configures the core. Address is required; Entropy, when zero, is drawn from the
	// operating system; Volatile follows from Log.
	Machine core.Config

	// ListenAddress is where Run listens; "" stands for DefaultListenAddress of the node's address.
	ListenAddress string
	// Listener, if not nil, is used instead, and closed when Run ends.
	Listener net.Listener

	MaxKeyLength int // bytes of a key after decoding; 0: DefaultMaxKeyLength
	MaxValueSize int // bytes of a value's JSON text without white space; 0: DefaultMaxValueSize

	MaxConnections int // open at a time, those of peers included; 0: DefaultMaxConnections

	Logger *slog.Logger // nil: discard
	Log    Log          // nil: keep nothing
}

// Check tells what is wrong with the first members: it names addresses that are none, and refuses
// a number of shards that cannot have two nodes each, and limits that other limits do not bear. A single node with one shard is allowed, for
// trying the store out.
func (c Config) Check() error {
	nodes := []string{c.Machine.Address}
	for _, address := range append(nodes, c.Machine.View...) {
		if err := CheckAddress(address); err != nil {
			return fmt.Errorf("%w; got %q", err, address)
		}
		if !slices.Contains(nodes, address) {
			nodes = append(nodes, address)
		}
	}
	shards := c.Machine.ShardCount
	switch {
	case c.MaxValueSize < 0 || c.MaxValueSize > LargestMaxValueSize:
		return fmt.Errorf("httpnode: the largest size of a value is %d bytes; at most %d fit into a message between nodes", c.MaxValueSize, LargestMaxValueSize)
	case c.MaxKeyLength < 0 || c.MaxKeyLength > LargestMaxKeyLength:
		return fmt.Errorf("httpnode: the greatest length of a key is %d bytes; at most %d fit into a request", c.MaxKeyLength, LargestMaxKeyLength)
	case shards < 0:
		return fmt.Errorf("httpnode: the number of shards is %d; give 1 or more", shards)
	case shards > 1 && len(nodes) < 2*shards:
		return fmt.Errorf("httpnode: %d shards need at least %d nodes, two for each shard; the view (%s) has %d; start fewer shards or more nodes",
			shards, 2*shards, strings.Join(nodes, ", "), len(nodes))
	}
	return nil
}

func (c *Config) setDefaults() {
	if c.Machine.Entropy == ([32]byte{}) {
		rand.Read(c.Machine.Entropy[:]) // never fails: it ends the program instead
	}
	if c.MaxKeyLength == 0 {
		c.MaxKeyLength = DefaultMaxKeyLength
	}
	if c.MaxValueSize == 0 {
		c.MaxValueSize = DefaultMaxValueSize
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ListenAddress == "" {
		c.ListenAddress = DefaultListenAddress(c.Machine.Address)
	}
	if c.Machine.Volatile = c.Log == nil; c.Machine.Volatile {
		c.Log = memoryLog{}
	}
}
