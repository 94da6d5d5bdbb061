package apitest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A Ledger is what one session knows of its own keys, to which nobody else
// writes: nothing that was acknowledged may be lost. A write without an answer
// may take effect at any time, also after later ones. Make one with NewLedger.
type Ledger struct {
	session int
	padding int
	token   string
	keys    [LedgerKeys]entry
}

// entry is one key of a ledger. Values count up from 1; 0 stands for none.
type entry struct {
	sent    int          // the last value that was sent
	known   int          // the last value that was acknowledged, or read
	unknown map[int]bool // values that got no answer, and were not read yet
}

// LedgerKeys is how many keys a session has.
const LedgerKeys = 8

// NewLedger is the ledger of a session; sessions of one store need numbers of
// their own. Values are longer by padding bytes than they need to be.
func NewLedger(session, padding int) *Ledger {
	l := &Ledger{session: session, padding: padding}
	for i := range l.keys {
		l.keys[i].unknown = map[int]bool{}
	}
	return l
}

func (l *Ledger) path(key int) string {
	return fmt.Sprintf("/key-value-store/ledger-%d-%d", l.session, key)
}

// write sends the next value of a key to a node, which may be down, or lose the
// answer.
func (l *Ledger) write(c Client, url string, key int) (acknowledged bool) {
	e := &l.keys[key]
	e.sent++
	body := fmt.Sprintf(`{"value":"%d%*s","causal-metadata":"%s"}`, e.sent, l.padding, "", l.token)
	a, err := c.Try(url, "PUT", l.path(key), body)
	if err != nil || a.Status != 200 && a.Status != 201 {
		e.unknown[e.sent] = true
		return false
	}
	e.known, l.token = e.sent, a.Token()
	return true
}

// read judges what a node says of a key.
func (l *Ledger) read(a Answer, key int) error {
	e := &l.keys[key]
	text, _ := a.Members["value"].(string)
	value, err := strconv.Atoi(strings.TrimRight(text, " "))
	switch {
	case a.Status == 404 && e.known == 0:
		return nil
	case a.Status != 200 || err != nil || value != e.known && !e.unknown[value]:
		return fmt.Errorf("%s is %v; %d was acknowledged or read last, %d sent, without an answer: %v", l.path(key), a, e.known, e.sent, e.unknown)
	}
	delete(e.unknown, value)
	e.known, l.token = value, a.Token()
	return nil
}

// Play writes and reads at random nodes until stop is closed. An error tells of
// an answer that contradicts an earlier one; nodes may be down.
func (l *Ledger) Play(c Client, urls []string, stop <-chan struct{}) (acknowledged int, err error) {
	random := rand.New(rand.NewPCG(uint64(l.session), 2))
	for {
		select {
		case <-stop:
			return acknowledged, nil
		default:
		}
		url, key := urls[random.IntN(len(urls))], random.IntN(LedgerKeys)
		if random.IntN(2) == 0 {
			if l.write(c, url, key) {
				acknowledged++
			}
			continue
		}
		a, err := c.Try(url, "GET", l.path(key), "", TokenHeader, l.token)
		if err != nil || a.Status == 503 {
			continue
		}
		if err := l.read(a, key); err != nil {
			return acknowledged, fmt.Errorf("%s: %w", url, err)
		}
	}
}

// Audit reads every key at every node, with the session's token. Nothing may be
// refused.
func (l *Ledger) Audit(c Client, urls []string) (err error) {
	for _, url := range urls {
		for key := range LedgerKeys {
			a, failed := c.Try(url, "GET", l.path(key), "", TokenHeader, l.token)
			if failed == nil {
				failed = l.read(a, key)
			}
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("in the end, %s: %w", url, failed))
			}
		}
	}
	return err
}
