package kvsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Bounds of a capsule.
const (
	maxCapsuleLines = 100_000
	maxCapsuleEnd   = 600 * netsim.Second
)

// ParseCapsule reads a capsule:
//
//	capsule 1                          # version of the form
//	scenario standard
//	seed 4711
//	judge linearizability              # only if the scenario does not
//	heals 60s                          # all faults end
//	settles 80s                        # nothing may be left to do: the audit begins
//	ends 90s
//	expect violated monotonic reads    # or: holds, undecided …
//	digest 0123456789abcdef            # absent: any
//
//	faults                             # as netsim.ParseSchedule reads them
//	at 3.2s for 1.5s partition n1,n2 | n3..n6
//	when stream.gap then pause n1..n6 but met for 3s
//
//	operations                         # of each client in the order in which it asks
//	at 2.5s A-0 n1 put k1 "A-0" within 3s
//	at 2.51s A-1 n2 get k1 within 1.5s fresh     # forgets its token first
//	at 4s B-0 n2 delete k1 within 3s both        # sends its last two tokens
//	at 5s G-0 n3 invite n7 within 10s            # by who runs the store; also: remove n7, add-member n7 2, reshard 3
//
// A word that begins with # begins a comment. An error names the line and what to do.
func ParseCapsule(text string) (Capsule, error) {
	p := capsuleParser{seen: make(map[string]bool), numbers: make(map[string]bool)}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if number > maxCapsuleLines {
			return Capsule{}, fmt.Errorf("kvsim: a capsule has at most %d lines", maxCapsuleLines)
		}
		words := strings.Fields(line)
		if comment := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); comment >= 0 {
			words = words[:comment]
		}
		if len(words) == 0 {
			continue
		}
		if err := p.line(words); err != nil {
			return Capsule{}, fmt.Errorf("kvsim: line %d of the capsule: %w", number, err)
		}
	}
	if err := p.finish(); err != nil {
		return Capsule{}, fmt.Errorf("kvsim: the capsule: %w", err)
	}
	return p.capsule, nil
}

type capsuleParser struct {
	capsule  Capsule
	scenario Scenario
	names    []string
	section  string // "" at the beginning, then faults or operations
	seen     map[string]bool
	numbers  map[string]bool // names of operations
}

func (p *capsuleParser) line(words []string) error {
	if len(words) == 1 && (words[0] == "faults" || words[0] == "operations") {
		if p.names == nil {
			return errors.New("the scenario has to be named before; begin with the lines capsule, scenario and seed")
		}
		p.section = words[0]
		return p.once(words[0])
	}
	switch p.section {
	case "faults":
		return p.fault(strings.Join(words, " "))
	case "operations":
		return p.operation(words)
	}
	return p.header(words[0], words[1:])
}

func (p *capsuleParser) once(word string) error {
	if p.seen[word] {
		return fmt.Errorf("%q is there twice; remove one", word)
	}
	p.seen[word] = true
	return nil
}

// header reads a line of the first part.
func (p *capsuleParser) header(word string, rest []string) (err error) {
	c := &p.capsule
	if err := p.once(word); err != nil {
		return err
	}
	if !p.seen["capsule"] {
		return fmt.Errorf("%q comes before the line \"capsule 1\"; is this a capsule?", word)
	}
	if word == "expect" {
		return p.expect(rest)
	}
	if len(rest) != 1 {
		return fmt.Errorf("%q needs one word after it", word)
	}
	switch value := rest[0]; word {
	case "capsule":
		if value != "1" {
			return fmt.Errorf("this release reads capsules of version 1, not %q; use the release that wrote it", value)
		}
	case "scenario":
		if p.scenario, err = ScenarioNamed(value); err == nil {
			c.Scenario, c.Phases, p.names = value, p.scenario.Phases, p.scenario.names()
		}
	case "seed":
		if c.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("%q is not a seed; write a number", value)
		}
	case "judge":
		if c.Linearizability = value == "linearizability"; !c.Linearizability {
			return fmt.Errorf("%q is no judge; known is linearizability", value)
		}
	case "heals":
		c.Phases.ChaosEnd, err = netsim.ParseTime(value)
	case "settles":
		c.Phases.Settled, err = netsim.ParseTime(value)
	case "ends":
		c.Phases.End, err = netsim.ParseTime(value)
	case "digest":
		if c.Digest, err = strconv.ParseUint(value, 16, 64); err != nil {
			return fmt.Errorf("%q is not a digest; write 16 hexadecimal digits, or remove the line", value)
		}
	default:
		return fmt.Errorf("%q is unknown; known are scenario, seed, judge, heals, settles, ends, expect, digest, faults, operations", word)
	}
	return bare(err)
}

// bare takes the name of the package off an error that becomes part of another one.
func bare(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "netsim: "), "kvsim: "))
}

func (p *capsuleParser) expect(words []string) error {
	c := &p.capsule
	if len(words) == 0 {
		return errors.New("expect what? write holds, violated or undecided, and the rule that is broken")
	}
	c.Rule = strings.Join(words[1:], " ")
	switch words[0] {
	case Holds.String():
		if c.Verdict = Holds; c.Rule == "" {
			return nil
		}
		return fmt.Errorf("what holds breaks no rule; remove %q", c.Rule)
	case Violated.String():
		c.Verdict = Violated
	case Undecided.String():
		c.Verdict = Undecided
	default:
		return fmt.Errorf("%q is no verdict; write holds, violated or undecided", words[0])
	}
	if c.Rule == "" {
		return fmt.Errorf("which rule is %s? write its name, as a report names it", words[0])
	}
	return nil
}

func (p *capsuleParser) fault(line string) error {
	schedule, err := netsim.ParseSchedule(line, p.names)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "netsim: line 1 of the schedule: "))
	}
	for i := range schedule {
		f := &schedule[i]
		if f.At > maxCapsuleEnd || f.For > maxCapsuleEnd || f.When.After > maxCapsuleEnd {
			return fmt.Errorf("a fault begins before %v and lasts no longer", maxCapsuleEnd)
		}
		named := f.Nodes | f.Peers | f.When.By
		for _, group := range f.Groups {
			named |= group
		}
		if f.Kind == netsim.Bridge && f.Via != netsim.MetNode {
			named |= netsim.Nodes(f.Via)
		}
		named &^= netsim.Met | netsim.ButMet
		if named&^netsim.FirstNodes(p.scenario.Servers) != 0 {
			return fmt.Errorf("faults hit nodes of the store only: %s", strings.Join(p.names[:p.scenario.Servers], ", "))
		}
	}
	p.capsule.Faults = append(p.capsule.Faults, schedule...)
	return nil
}

const operationForm = `write it like: at 2.5s A-0 n1 put k1 "text" within 3s`

func (p *capsuleParser) operation(words []string) error {
	o := Operation{}
	var err error
	if len(words) < 7 || words[0] != "at" {
		return errors.New("this is no operation; " + operationForm)
	}
	if o.At, err = netsim.ParseTime(words[1]); err != nil {
		return bare(err)
	}
	if err := p.operationName(&o, words[2]); err != nil {
		return err
	}
	if o.Node = slices.Index(p.names[:p.scenario.Servers], words[3]); o.Node < 0 {
		return fmt.Errorf("%q is no node; known are %s", words[3], strings.Join(p.names[:p.scenario.Servers], ", "))
	}
	var rest []string
	switch words[4] {
	case "invite", "remove", "add-member", "reshard":
		rest, err = p.administration(&o, words[4], words[5:])
	default:
		rest, err = p.onKey(&o, words[4], words[5:])
	}
	if err != nil {
		return err
	}
	if len(rest) < 2 || rest[0] != "within" {
		return errors.New("how long does the client wait? " + operationForm)
	}
	if o.Timeout, err = netsim.ParseTime(rest[1]); err != nil {
		return bare(err)
	}
	if o.At < 0 || o.Timeout <= 0 || o.At > maxCapsuleEnd || o.Timeout > maxCapsuleEnd {
		return fmt.Errorf("an operation begins and waits between zero and %v", maxCapsuleEnd)
	}
	for _, word := range rest[2:] {
		switch word {
		case "fresh":
			o.Fresh = true
		case "both":
			o.Both = true
		default:
			return fmt.Errorf("%q is too much; an operation ends with fresh, both or its time", word)
		}
	}
	p.capsule.Operations = append(p.capsule.Operations, o)
	return nil
}

// onKey reads what a client of the workload asks for.
func (p *capsuleParser) onKey(o *Operation, word string, words []string) (rest []string, err error) {
	rest = words[1:]
	switch word {
	case "get":
		o.Op = wire.OpGet
	case "delete":
		o.Op = wire.OpDelete
	case "put":
		o.Op = wire.OpPut
		o.Value, rest = words[1], words[2:]
		if !json.Valid([]byte(o.Value)) {
			return nil, fmt.Errorf("%s is not a JSON value without spaces; write a text in double quotes", o.Value)
		}
	default:
		return nil, fmt.Errorf("%q is unknown; known are get, put, delete, invite, remove, add-member and reshard", word)
	}
	if o.Key = words[0]; !slices.Contains(Keys(p.scenario.Workload.Keys), o.Key) {
		return nil, fmt.Errorf("%q is no key of the scenario; known are k0 to k%d", o.Key, p.scenario.Workload.Keys-1)
	}
	return rest, nil
}

// administration reads what somebody asks for who runs the store.
func (p *capsuleParser) administration(o *Operation, word string, words []string) (rest []string, err error) {
	if o.Client < p.scenario.Workload.Clients {
		return nil, fmt.Errorf("client %s does not administer the store; those who do come after %s",
			clientName(o.Client), clientName(p.scenario.Workload.Clients-1))
	}
	servers := p.names[:p.scenario.Servers]
	rest = words[1:]
	if word == "reshard" {
		o.Op = wire.OpReshard
		if o.Count, err = strconv.Atoi(words[0]); err != nil || o.Count < 1 {
			return nil, fmt.Errorf("%q is no number of shards", words[0])
		}
		return rest, nil
	}
	if o.Member = slices.Index(servers, words[0]); o.Member < 0 {
		return nil, fmt.Errorf("%q is no node; known are %s", words[0], strings.Join(servers, ", "))
	}
	switch word {
	case "invite":
		o.Op = wire.OpInvite
	case "remove":
		o.Op = wire.OpRemove
	default:
		var ok bool
		o.Op, rest = wire.OpAddMember, words[2:]
		if o.Shard, ok = shard.ParseID(words[1]); !ok {
			return nil, fmt.Errorf("%q is no shard", words[1])
		}
	}
	return rest, nil
}

// operationName reads who asks: A-0 is the first operation of client A.
func (p *capsuleParser) operationName(o *Operation, word string) error {
	name, number, _ := strings.Cut(word, "-")
	clients := p.scenario.Workload.Clients + p.scenario.Administration.Clients
	for o.Client = 0; o.Client < clients && clientName(o.Client) != name; o.Client++ {
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if o.Client == clients || err != nil {
		return fmt.Errorf("%q names no operation; write A-0 to %s-%d", word, clientName(clients-1), maxCapsuleLines)
	}
	if o.Number = int(n); p.numbers[o.name()] {
		return fmt.Errorf("%s is there twice; give it another number", o.name())
	}
	p.numbers[o.name()] = true
	return nil
}

// finish looks at the whole.
func (p *capsuleParser) finish() error {
	for _, word := range []string{"capsule", "scenario", "seed", "expect", "faults", "operations"} {
		if !p.seen[word] {
			return fmt.Errorf("the line %q is missing", word)
		}
	}
	c := &p.capsule
	if ph := c.Phases; ph.ChaosEnd <= 0 || ph.Settled < ph.ChaosEnd || ph.End <= ph.Settled || ph.End > maxCapsuleEnd {
		return fmt.Errorf("it heals at %v, settles at %v and ends at %v; put them in this order, within %v", ph.ChaosEnd, ph.Settled, ph.End, maxCapsuleEnd)
	}
	for i := range c.Operations {
		if o := &c.Operations[i]; o.At > c.Phases.Settled {
			return fmt.Errorf("%s is due at %v, after all has to be settled (%v); move one of them", o.name(), o.At, c.Phases.Settled)
		}
	}
	// Clients one after the other, each in its own order: what the run does does not depend on how the file mixes them.
	slices.SortStableFunc(c.Operations, func(a, b Operation) int { return a.Client - b.Client })
	return nil
}
