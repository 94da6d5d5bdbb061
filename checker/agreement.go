package checker

import (
	"fmt"
	"io"
	"strings"
)

// Entry is what a replica holds for a key: a version and its value, or the mark that the version
// deleted the key.
type Entry struct {
	Key     string
	Version string
	Value   string
	Stamp   Stamp // zero = unknown
	Deleted bool  // a tombstone; list it or leave it out on all replicas alike

	_ struct{}
}

// Replica is the content of one replica after quiescence.
type Replica struct {
	Name    string  // of the node, for explanations
	Shard   string  // replicas of one shard have to agree
	Entries []Entry // sorted by key, each key once

	_ struct{}
}

// Holding is what some replicas of a shard hold for a key.
type Holding struct {
	Present  bool     // false: they hold nothing for the key, and Entry is zero
	Entry    Entry    //
	Replicas []string // names, in the order given
}

// Difference is a key for which replicas of one shard differ. Holdings are two or more, in the order of
// their first replica.
type Difference struct {
	Shard, Key string
	Holdings   []Holding
}

// Agreement is the answer of CheckAgreement. The zero value is undecided.
type Agreement struct {
	Status      Status
	Reason      string       // why it is Undecided
	Differences []Difference // shard by shard in the order given, then by key

	_ struct{}
}

// OK reports whether the replicas agree. It is false for an undecided answer.
func (a Agreement) OK() bool { return a.Status == Holds }

// CheckAgreement decides whether the replicas of each shard hold the same keys, versions, stamps and
// values, as they have to when nothing is on its way any more. The error wraps ErrMalformed.
func CheckAgreement(replicas []Replica) (Agreement, error) {
	if len(replicas) == 0 {
		return Agreement{Reason: "there are no replicas to compare; list the contents of all replicas"}, nil
	}
	for _, r := range replicas {
		for i := 1; i < len(r.Entries); i++ {
			if r.Entries[i-1].Key >= r.Entries[i].Key {
				return Agreement{Reason: "the contents are malformed"}, fmt.Errorf(
					"%w: replica %s: key %q follows %q; sort the entries by key and list each key once",
					ErrMalformed, r.Name, r.Entries[i].Key, r.Entries[i-1].Key)
			}
		}
	}
	result := Agreement{Status: Holds}
	done := make([]bool, len(replicas))
	for i := range replicas {
		if done[i] {
			continue
		}
		var shard []Replica
		for j := i; j < len(replicas); j++ {
			if replicas[j].Shard == replicas[i].Shard {
				done[j] = true
				shard = append(shard, replicas[j])
			}
		}
		result.Differences = append(result.Differences, differences(shard)...)
	}
	if len(result.Differences) > 0 {
		result.Status = Violated
	}
	return result, nil
}

// differences walks through the sorted entries of all replicas of a shard at once.
func differences(shard []Replica) []Difference {
	var found []Difference
	at := make([]int, len(shard))
	for {
		key, some := "", false
		for i, r := range shard {
			if at[i] < len(r.Entries) && (!some || r.Entries[at[i]].Key < key) {
				key, some = r.Entries[at[i]].Key, true
			}
		}
		if !some {
			return found
		}
		first, same := lookup(shard[0], at[0], key), true
		for i, r := range shard {
			same = same && equal(first, lookup(r, at[i], key))
		}
		if !same {
			found = append(found, Difference{Shard: shard[0].Shard, Key: key, Holdings: holdings(shard, at, key)})
		}
		for i, r := range shard {
			if at[i] < len(r.Entries) && r.Entries[at[i]].Key == key {
				at[i]++
			}
		}
	}
}

// lookup returns what a replica, of which the keys before the given one are passed, holds for it.
func lookup(r Replica, at int, key string) *Entry {
	if at < len(r.Entries) && r.Entries[at].Key == key {
		return &r.Entries[at]
	}
	return nil
}

func equal(a, b *Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// holdings groups the replicas by what they hold for a key.
func holdings(shard []Replica, at []int, key string) []Holding {
	var groups []Holding
	for i, r := range shard {
		group, entry := -1, lookup(r, at[i], key)
		for g := range groups {
			if groups[g].Present == (entry != nil) && (entry == nil || groups[g].Entry == *entry) {
				group = g
			}
		}
		if group < 0 {
			group = len(groups)
			groups = append(groups, Holding{Present: entry != nil})
			if entry != nil {
				groups[group].Entry = *entry
			}
		}
		groups[group].Replicas = append(groups[group].Replicas, r.Name)
	}
	return groups
}

// Explain writes the answer in words: which key differs between whom. The error is that of the writer.
func (a Agreement) Explain(w io.Writer) error {
	var b strings.Builder
	switch a.Status {
	case Holds:
		b.WriteString("the replicas of every shard agree\n")
	case Undecided:
		b.WriteString("agreement of the replicas is undecided: " + a.Reason + "\n")
	case Violated:
		b.WriteString("replicas of one shard differ after quiescence: " + plural(len(a.Differences), "key") + "\n\n")
		for i, d := range a.Differences {
			if i == longest {
				fmt.Fprintf(&b, "  … and %d more\n", len(a.Differences)-i)
				break
			}
			d.explain(&b)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d Difference) explain(b *strings.Builder) {
	b.WriteString("  ")
	if d.Shard != "" {
		b.WriteString("shard " + d.Shard + ", ")
	}
	b.WriteString("key " + clip(d.Key) + ":\n")
	for _, h := range d.Holdings {
		verb := "hold"
		if len(h.Replicas) == 1 {
			verb = "holds"
		}
		b.WriteString("    " + strings.Join(h.Replicas, ", ") + " " + verb + " " + h.describe() + "\n")
	}
}

func (h Holding) describe() string {
	if !h.Present {
		return "nothing"
	}
	text := fmt.Sprintf("%q", clip(h.Entry.Value))
	if h.Entry.Deleted {
		text = "a tombstone"
	}
	text += " (version " + clip(h.Entry.Version)
	if !h.Entry.Stamp.IsZero() {
		text += ", stamp " + h.Entry.Stamp.String()
	}
	return text + ")"
}
