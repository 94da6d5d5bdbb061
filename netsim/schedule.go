package netsim

import (
	"errors"
	"fmt"
	"strings"
)

// Schedule is the list of faults of a run, in any order of time. The zero value
// is a run without faults.
type Schedule []Fault

// Format writes one fault per line. ParseSchedule with the same names gives an
// equal schedule back.
func (s Schedule) Format(names []string) string {
	var b strings.Builder
	for i := range s {
		b.WriteString(s[i].format(names))
		b.WriteByte('\n')
	}
	return b.String()
}

// Validate checks every fault against a world of n nodes.
func (s Schedule) Validate(n int) error {
	for i := range s {
		if err := s[i].validate(n); err != nil {
			return fmt.Errorf("netsim: fault %d of the schedule: %w", i+1, err)
		}
	}
	return nil
}

// ParseSchedule reads one fault per line:
//
//	at 3.2s for 1.5s partition n1,n2 | n3..n6    # two or more groups
//	at 1s for 2s bridge n1,n2 | n4,n5 via n3
//	at 1s for 2s block n1 -> n2,n3               # one direction
//	at 1s for 2s isolate n3                      # or: isolate n3 from n1,n2
//	at 1s for 2s loss 1/5 n1 -> n2               # or: loss 1/5 n1,n2, loss 1/5 all
//	at 1s for 2s duplicate 1/4 all
//	at 1s for 2s reorder 50ms all
//	at 1s for 2s delay 100ms n1 -> n2
//	at 1s for 2s clog n1,n2
//	at 1s for 2s pause n2
//	at 1s for 2s slow 5ms n2
//	at 1s for 2s crash n1
//	at 1s for 2s wipe n1
//	at 1s for 2s skew -250ms n1
//	at 1s for 2s jump +2s n1
//	at 1s for 2s freeze n1
//	at 1s for 2s slow-sync 30ms n1
//	at 1s for 2s tear n1
//	at 1s for 2s fail-disk n1
//	at 1s for 2s fill-disk n1
//	at 1s for 2s false-sync n1
//	at 4s kill n3                                # for good
//
// n3..n6 means the nodes from n3 to n6 in the order of names, "all but n2" and
// "n1..n6 but n2" leave some out. Each kind can wait for a situation that a node
// meets (a probe, see Trigger) instead of a time:
//
//	when reshard.switch then pause all but met for 3s
//	when 3rd stream.gap at n1,n2 then after 50ms isolate met from n4..n6 for 2s
//
// That is the third time that n1 or n2 meet it. In such a line, met is the node
// that met the situation then, others the same as all but met. Empty lines and
// what follows a # are skipped. An error names the line.
func ParseSchedule(text string, names []string) (Schedule, error) {
	if err := checkNames(names); err != nil {
		return nil, err
	}
	var schedule Schedule
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line, _, _ = strings.Cut(line, "#")
		p := lineParser{words: splitWords(line), names: names}
		if len(p.words) == 0 {
			continue
		}
		fault, err := p.fault()
		if err == nil {
			err = fault.validate(len(names))
		}
		if err != nil {
			return nil, fmt.Errorf("netsim: line %d of the schedule: %w", number, err)
		}
		schedule = append(schedule, fault)
	}
	return schedule, nil
}

// splitWords separates by spaces, around | and ->, but not around commas.
func splitWords(line string) []string {
	line = strings.ReplaceAll(line, "|", " | ")
	line = strings.ReplaceAll(line, "->", " -> ")
	words := strings.Fields(line)
	joined := words[:0]
	for _, word := range words {
		last := len(joined) - 1
		if last >= 0 && (strings.HasPrefix(word, ",") || strings.HasSuffix(joined[last], ",")) {
			joined[last] += word
			continue
		}
		joined = append(joined, word)
	}
	return joined
}

// lineParser consumes the words of one line. After the first failure it goes on
// without effect and keeps that error.
type lineParser struct {
	words []string
	names []string
	err   error
}

func (p *lineParser) fault() (Fault, error) {
	var f Fault
	situation := p.accept("when")
	if situation {
		f.When = p.trigger()
	} else {
		p.expect("at")
		f.At = p.time()
		if len(p.words) == 0 || p.words[0] != Kill.String() {
			p.expect("for")
			f.For = p.time()
		}
	}
	f.Kind = p.kind()
	if p.err == nil && f.Kind.hasChance() {
		f.Chance = p.ratio()
	}
	if p.err == nil && f.Kind.hasAmount() {
		f.Amount = p.time()
	}
	if p.err != nil {
		return f, p.err
	}
	if f.Kind.target() == onGroups {
		p.groups(&f)
	} else {
		p.nodes(&f)
	}
	if situation && f.Kind != Kill {
		p.expect("for")
		f.For = p.time()
	}
	if p.err == nil && len(p.words) > 0 {
		p.fail(fmt.Errorf("%q is too much", strings.Join(p.words, " ")))
	}
	return f, p.err
}

func (p *lineParser) groups(f *Fault) {
	f.Groups = append(f.Groups, p.set())
	for p.accept("|") {
		f.Groups = append(f.Groups, p.set())
	}
	if f.Kind != Bridge {
		return
	}
	p.expect("via")
	switch via := p.set(); {
	case via == Met:
		f.Via = MetNode
	case via.Len() == 1 && via&relative == 0:
		f.Via = via.first()
	default:
		p.fail(errors.New("a bridge goes via exactly one node"))
	}
}

func (p *lineParser) nodes(f *Fault) {
	everything := f.Kind.target() == onLinks && f.Kind != Block && f.Kind != Isolate
	alone := len(p.words) == 1 || len(p.words) > 1 && p.words[1] == "for"
	if everything && alone && p.accept("all") {
		return
	}
	f.Nodes = p.set()
	arrow := "->"
	if f.Kind == Isolate {
		arrow = "from"
	}
	if f.Kind.target() == onLinks && p.accept(arrow) {
		f.Peers = p.set()
	}
}

func (p *lineParser) next() string {
	if len(p.words) == 0 {
		p.fail(errors.New("it ends too early"))
		return ""
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

func (p *lineParser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *lineParser) accept(word string) bool {
	if len(p.words) == 0 || p.words[0] != word {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *lineParser) expect(word string) {
	if found := p.next(); found != word {
		p.fail(fmt.Errorf("expected %q, found %q", word, found))
	}
}

func (p *lineParser) time() Time {
	t, err := ParseTime(p.next())
	if err != nil {
		p.fail(errors.New(strings.TrimPrefix(err.Error(), "netsim: ")))
	}
	return t
}

func (p *lineParser) ratio() Ratio {
	word := p.next()
	ratio, ok := parseRatio(word)
	if !ok {
		p.fail(fmt.Errorf("%q is not a probability; write it like 1/5", word))
	}
	return ratio
}

func (p *lineParser) kind() FaultKind {
	word := p.next()
	known := make([]string, 0, lastKind)
	for kind := Partition; kind <= lastKind; kind++ {
		if kind.String() == word {
			return kind
		}
		known = append(known, kind.String())
	}
	p.fail(fmt.Errorf("%q is not a fault; known are %s", word, strings.Join(known, ", ")))
	return 0
}

func (p *lineParser) set() NodeSet {
	set := p.named()
	if p.accept("but") {
		left := p.named()
		set &^= left &^ relative
		switch {
		case left&relative == Met && set&Met == 0:
			set |= ButMet
		case left&relative != 0:
			p.fail(errMet)
		}
		if p.err == nil && set&^ButMet == 0 {
			p.fail(errors.New("no node is left"))
		}
	}
	return set
}

// named reads a set without exceptions.
func (p *lineParser) named() NodeSet {
	set, err := parseNodeSet(p.next(), p.names)
	if err != nil {
		p.fail(err)
	}
	return set
}
