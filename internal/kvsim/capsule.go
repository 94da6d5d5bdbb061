package kvsim

import (
	"fmt"
	"strings"

	"github.com/sequitur-kv/sequitur/core/wire"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Capsule is a run as a text that a person can read and edit: everything that decides it, and what it
// came to. ParseCapsule shows the form.
type Capsule struct {
	Scenario        string
	Seed            uint64
	Linearizability bool // judged too, whatever the scenario says
	Phases          Phases
	Faults          netsim.Schedule
	Operations      []Operation

	Verdict Verdict // expected
	Rule    string  // expected to be broken: Failure.Rule; "" when it holds
	Digest  uint64  // expected; zero: any
}

// Record makes the capsule of a seed that was run with a scenario.
func Record(s *Scenario, r *Result) Capsule {
	seed := netsim.Seed(r.Seed)
	c := Capsule{
		Scenario: s.Name, Seed: r.Seed, Phases: s.Phases, Faults: s.Schedule(seed),
		Operations: s.Plan(seed, []Operation{}),
	}
	if named, err := ScenarioNamed(s.Name); err == nil {
		c.Linearizability = s.Linearizable && !named.Linearizable
	}
	c.Expect(r)
	return c
}

// Expect makes a result what the capsule expects.
func (c *Capsule) Expect(r *Result) {
	c.Verdict, c.Rule, c.Digest = r.Verdict, r.Failure.Rule(), r.Digest
}

// Load returns the scenario that the capsule was made of.
func (c *Capsule) Load() (Scenario, error) {
	s, err := ScenarioNamed(c.Scenario)
	if err != nil {
		return s, err
	}
	s.Linearizable = s.Linearizable || c.Linearizability
	s.Phases = c.Phases
	return s, nil
}

// Options are those that make a run of Load's scenario the run of the capsule.
func (c *Capsule) Options() Options {
	o := Options{Plan: c.Operations, Schedule: c.Faults, Phases: c.Phases}
	if o.Plan == nil {
		o.Plan = []Operation{}
	}
	if o.Schedule == nil {
		o.Schedule = netsim.Schedule{}
	}
	return o
}

// Run runs the capsule, telling its story. Trace gets one line per event; nil: none.
func (c *Capsule) Run(trace func(line string)) (Result, error) {
	s, err := c.Load()
	if err != nil {
		return Result{}, err
	}
	options := c.Options()
	options.Tell, options.Trace = true, trace
	return NewRunner(s).RunWith(c.Seed, options), nil
}

// Differs says in which way a result is not what the capsule expects, "" if in none.
func (c *Capsule) Differs(r *Result, verdictOnly bool) string {
	rule := r.Failure.Rule()
	switch {
	case r.Verdict != c.Verdict || rule != c.Rule:
		return fmt.Sprintf("it expects %s, the run is %s", verdictText(c.Verdict, c.Rule), verdictText(r.Verdict, rule))
	case c.Digest != 0 && r.Digest != c.Digest && !verdictOnly:
		return fmt.Sprintf("same verdict, but the digest is %016x instead of %016x: the code or the file has changed since", r.Digest, c.Digest)
	}
	return ""
}

func verdictText(v Verdict, rule string) string {
	if rule == "" {
		return v.String()
	}
	return v.String() + " " + rule
}

// Format writes the capsule; ParseCapsule reads an equal one.
func (c *Capsule) Format() string {
	s, _ := ScenarioNamed(c.Scenario) // of an unknown one only the names of the nodes are missing
	names := s.names()
	var b strings.Builder
	b.WriteString("# A simulated run. \"simulate replay FILE\" runs it, \"simulate shrink FILE\" makes it small; edit it freely.\n")
	fmt.Fprintf(&b, "capsule 1\nscenario %s\nseed %d\n", c.Scenario, c.Seed)
	if c.Linearizability {
		b.WriteString("judge linearizability\n")
	}
	fmt.Fprintf(&b, "heals %v\nsettles %v\nends %v\n", c.Phases.ChaosEnd, c.Phases.Settled, c.Phases.End)
	fmt.Fprintf(&b, "expect %s\n", verdictText(c.Verdict, c.Rule))
	if c.Digest != 0 {
		fmt.Fprintf(&b, "digest %016x\n", c.Digest)
	}
	b.WriteString("\nfaults\n")
	b.WriteString(c.Faults.Format(names))
	b.WriteString("\noperations\n")
	for i := range c.Operations {
		c.Operations[i].format(&b)
	}
	return b.String()
}

// format writes an operation as a line.
func (o *Operation) format(b *strings.Builder) {
	fmt.Fprintf(b, "at %v %s n%d ", o.At, o.name(), o.Node+1)
	switch o.Op {
	case wire.OpPut:
		fmt.Fprintf(b, "put %s %s", o.Key, o.Value)
	case wire.OpDelete:
		fmt.Fprintf(b, "delete %s", o.Key)
	case wire.OpInvite:
		fmt.Fprintf(b, "invite n%d", o.Member+1)
	case wire.OpRemove:
		fmt.Fprintf(b, "remove n%d", o.Member+1)
	case wire.OpAddMember:
		fmt.Fprintf(b, "add-member n%d %s", o.Member+1, o.Shard)
	case wire.OpReshard:
		fmt.Fprintf(b, "reshard %d", o.Count)
	default:
		fmt.Fprintf(b, "get %s", o.Key)
	}
	fmt.Fprintf(b, " within %v", o.Timeout)
	if o.Fresh {
		b.WriteString(" fresh")
	}
	if o.Both {
		b.WriteString(" both")
	}
	b.WriteByte('\n')
}

// name is what people call an operation: the client and its number there.
func (o *Operation) name() string { return fmt.Sprintf("%s-%d", clientName(o.Client), o.Number) }
