package netsim

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const everyForm = `at 3.2s for 1.5s partition n1,n2 | n3..n6
at 1s for 2s partition n1 | n2 | n3..n5
at 1s for 2s bridge n1,n2 | n4,n5 via n3
at 1s for 2s block n1 -> n2,n3
at 1s for 2s isolate n3
at 1s for 2s isolate n3 from n1,n2
at 1s for 2s loss 1/5 n1 -> n2
at 1s for 2s loss 1/5 n1,n2
at 1s for 2s loss 1/5 all
at 1s for 2s duplicate 1/4 all
at 1s for 2s reorder 50ms n1..n3 -> n1..n3
at 1s for 2s delay 100ms n1 -> n2
at 1s for 2s clog n1,n2
at 1s for 2s pause n2
at 1s for 2s slow 5ms n2
at 1s for 2s crash n1
at 1s for 2s wipe n1
at 1s for 2s skew -250ms n1
at 1s for 2s jump +2s n1
at 1s for 2s freeze n1
at 1s for 2s slow-sync 30ms n1
at 1s for 2s tear n1
at 1s for 2s fail-disk n1
at 1s for 2s fill-disk n1,n2
at 1s for 2s false-sync n1
at 4s kill n3
when 17th disk.released at n1 then tear met for 2s
when reshard.switch then pause n1,n3..n6 for 3s
when reshard.switch then pause all but met for 3s
when 3rd stream.gap at n1,n2 then after 50ms isolate met from n4..n6 but met for 2s
when 111th a then partition n1,n2,met | n3..n6 but met for 1s
when 2nd a-b:c_d.9 then partition met | all but met for 1s
when a at n1..n6 then bridge n1,n2 but met | n3 via met for 1s
when a then block met -> all but met for 1s
when a then loss 1/5 all for 1s
when a then delay 100ms n1..n3 but met -> met for 1s
when a then skew -250ms met for 1s
when a then kill met
`

func TestEveryFormOfAFaultIsReadAndWritten(t *testing.T) {
	schedule, err := ParseSchedule(everyForm, names(6))
	if err != nil {
		t.Fatal(err)
	}
	if got := schedule.Format(names(6)); got != everyForm {
		t.Errorf("written back:\n%s", got)
	}
	var seen [lastKind + 1]bool
	for _, fault := range schedule {
		seen[fault.Kind] = true
	}
	for kind := Partition; kind <= lastKind; kind++ {
		if !seen[kind] {
			t.Errorf("no line for %v", kind)
		}
	}
}

func TestParseScheduleIsLenientAboutForm(t *testing.T) {
	loose := `
		# two faults
		at 3200ms   for 1500ms partition n1 , n2|n3, n4,n5 ,n6   # the first
		at 1s for 2s block n1->n2,n3
		at 1s for 2s pause all
		at 1s for 2s pause all but n2 , n3
		when 1st  a at n1 , n2 then pause others for 1s
		when a then pause n1 , met for 1s
		when a then clog all but n2,met for 1s
		when a then kill others but n1
	`
	strict := "at 3.2s for 1.5s partition n1,n2 | n3..n6\nat 1s for 2s block n1 -> n2,n3\nat 1s for 2s pause n1..n6\n" +
		"at 1s for 2s pause n1,n4..n6\nwhen a at n1,n2 then pause all but met for 1s\nwhen a then pause n1,met for 1s\n" +
		"when a then clog n1,n3..n6 but met for 1s\nwhen a then kill n2..n6 but met\n"
	schedule, err := ParseSchedule(loose, names(6))
	if err != nil {
		t.Fatal(err)
	}
	if got := schedule.Format(names(6)); got != strict {
		t.Errorf("read as\n%s", got)
	}
}

func TestParseScheduleExplainsErrors(t *testing.T) {
	tests := []struct{ line, want string }{
		{"at 1s for 2s", "ends too early"},
		{"in 1s for 2s pause n1", `expected "at"`},
		{"at 1 for 2s pause n1", "is not a time"},
		{"at -1s for 2s pause n1", "zero or later"},
		{"at 1s for 0s pause n1", "longer than zero"},
		{"at 1s for 2s sleep n1", `"sleep" is not a fault; known are partition, block`},
		{"at 1s for 2s pause n9", `"n9" names no node; known are n1, n2`},
		{"at 1s for 2s pause n3..n1", "names no node"},
		{"at 1s for 2s pause n1 -> n2", "is too much"},
		{"at 1s for 2s pause n1 n2", "is too much"},
		{"at 1s for 2s pause", "ends too early"},
		{"at 1s for 2s loss n1", "not a probability"},
		{"at 1s for 2s loss 6/5 n1", "not a probability"},
		{"at 1s for 2s loss 0/5 n1", "above 0"},
		{"at 1s for 2s delay -1s n1", "needs a length"},
		{"at 1s for 2s block n1", "needs a direction"},
		{"at 1s for 2s block all", "needs a direction"},
		{"at 1s for 2s partition n1,n2", "needs groups"},
		{"at 1s for 2s partition n1,n2 | n2", "overlap"},
		{"at 1s for 2s bridge n1 | n2 | n3 via n4", "needs groups"},
		{"at 1s for 2s bridge n1 | n2 via n2", "neither group"},
		{"at 1s for 2s bridge n1 | n2 via n3,n4", "exactly one"},
		{"at 1s for 2s bridge n1 | n2", "ends too early"},
		{"at 1s for 2s kill n1", "for good"},
		{"at 1s pause n1", `expected "for", found "pause"`},
		{"at 1s for 2s pause met", "where a fault waits for a situation"},
		{"at 1s for 2s pause others", "where a fault waits for a situation"},
		{"at 1s for 2s isolate n1 from met", "where a fault waits for a situation"},
		{"at 1s for 2s partition met | n1", "where a fault waits for a situation"},
		{"at 1s for 2s bridge n1 | n2 via met", "neither group"},
		{"at 1s for 2s pause n1 but n1", "no node is left"},
		{"at 1s for 2s loss 1/5 n1 but n1", "no node is left"},
		{"when a pause n1 for 1s", `expected "then", found "pause"`},
		{"when a then pause n1", "ends too early"},
		{"when a then pause n1 for 0s", "longer than zero"},
		{"when a then kill n1 for 1s", "is too much"},
		{"when 3th a then pause n1 for 1s", "write it like 3rd"},
		{"when 0th a then pause n1 for 1s", "write it like 3rd"},
		{"when 3 a then pause n1 for 1s", "write it like 3rd"},
		{"when a,b then pause n1 for 1s", "use a letter, then letters"},
		{"when a at met then pause n1 for 1s", "nodes of the world"},
		{"when a then after -1s pause n1 for 1s", "or later"},
		{"when a then pause n1,met but met for 1s", "once in a set"},
		{"when a then pause met but n1 for 1s but", "is too much"},
		{"when a then pause n1 but others for 1s", "once in a set"},
		{"when a then partition met | n1,met for 1s", "overlap"},
		{"when a then bridge n1,met | n2 via met for 1s", "neither group"},
		{"when a then bridge n1 | n2 via n3,met for 1s", "exactly one"},
	}
	for _, test := range tests {
		_, err := ParseSchedule("\n"+test.line, names(4))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "netsim: line 2 of the schedule: ") {
			t.Errorf("%q: error %v, want one with %q", test.line, err, test.want)
		}
	}
}

func TestNamesThatTheTextCannotHold(t *testing.T) {
	for _, bad := range [][]string{
		nil, {""}, {"a b"}, {"a,b"}, {"a|b"}, {"a>b"}, {"all"}, {"via"}, {"from"}, {"met"}, {"others"}, {"but"}, {"a..b"}, {".a"}, {"a."}, {"a", "a"}, names(65),
	} {
		if _, err := ParseSchedule("", bad); err == nil {
			t.Errorf("names %q were taken", bad)
		}
	}
	good := []string{"127.0.0.1:80", "node-2", "n_3"}
	if _, err := ParseSchedule("at 1s for 1s block 127.0.0.1:80->node-2", good); err != nil {
		t.Error(err)
	}
}

// anyFault draws a valid fault of a world of six nodes.
func anyFault(t *rapid.T) Fault {
	set := rapid.Uint64Range(1, 63)
	f := Fault{
		Kind: FaultKind(rapid.IntRange(int(Partition), int(lastKind)).Draw(t, "kind")),
		At:   Time(rapid.Int64Range(0, 1<<50).Draw(t, "at")),
		For:  Time(rapid.Int64Range(1, 1<<50).Draw(t, "for")),
	}
	if f.Kind == Kill {
		f.For = 0
	}
	if f.Kind.hasChance() {
		f.Chance.Den = rapid.Uint32Range(1, 1<<31).Draw(t, "den")
		f.Chance.Num = rapid.Uint32Range(1, f.Chance.Den).Draw(t, "num")
	}
	if f.Kind.hasAmount() {
		f.Amount = Time(rapid.Int64Range(1, 1<<50).Draw(t, "amount"))
		if f.Kind.signed() && rapid.Bool().Draw(t, "negative") {
			f.Amount = -f.Amount
		}
	}
	if f.Kind.target() == onGroups {
		swarm := Swarm{Targets: NodeSet(set.Filter(func(s uint64) bool { return NodeSet(s).Len() > 2 }).Draw(t, "groups"))}
		draw := Seed(rapid.Uint64().Draw(t, "seed")).Stream("groups")
		swarm.drawGroups(&draw, &f)
		return f
	}
	f.Nodes = NodeSet(set.Draw(t, "nodes"))
	if f.Kind == Block || f.Kind.target() == onLinks && rapid.Bool().Draw(t, "directed") {
		f.Peers = NodeSet(set.Draw(t, "peers"))
	} else if f.Kind.target() == onLinks && f.Kind != Isolate && rapid.Bool().Draw(t, "everywhere") {
		f.Nodes = 0
	}
	return f
}

// makeTriggered lets a fault of a world of six nodes wait for a situation.
func makeTriggered(t *rapid.T, f *Fault) {
	f.At = 0
	f.When = Trigger{
		Probe: rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9._:-]{0,9}`).Draw(t, "probe"),
		By:    NodeSet(rapid.Uint64Range(0, 63).Draw(t, "by")),
		Skip:  rapid.Uint32().Filter(func(n uint32) bool { return n+1 != 0 }).Draw(t, "skip"),
		After: Time(rapid.Int64Range(0, 1<<50).Draw(t, "after")),
	}
	someMet := false
	for i := range f.Groups {
		someMet = relate(t, &f.Groups[i], !someMet) || someMet
	}
	if f.Nodes != 0 {
		relate(t, &f.Nodes, true)
	}
	if f.Peers != 0 {
		relate(t, &f.Peers, true)
	}
	if f.Kind == Bridge && !someMet && rapid.Bool().Draw(t, "via met") {
		f.Via = MetNode
	}
}

// relate adds the node that met a situation to a set, or takes it out.
func relate(t *rapid.T, set *NodeSet, mayAdd bool) (added bool) {
	switch rapid.IntRange(0, 3).Draw(t, "relation") {
	case 1:
		*set |= ButMet
	case 2:
		if mayAdd {
			*set |= Met
			return true
		}
	case 3:
		if mayAdd {
			*set = Met
			return true
		}
	}
	return false
}

func TestScheduleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var schedule Schedule = rapid.SliceOfN(rapid.Custom(anyFault), 1, 5).Draw(t, "schedule")
		for i := range schedule {
			if rapid.Bool().Draw(t, "triggered") {
				makeTriggered(t, &schedule[i])
			}
		}
		if err := schedule.Validate(6); err != nil {
			t.Fatalf("%+v: %v", schedule, err)
		}
		text := schedule.Format(names(6))
		back, err := ParseSchedule(text, names(6))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, schedule) {
			t.Fatalf("%s is read back as\n%s", text, back.Format(names(6)))
		}
	})
}

func TestValidateRefusesWhatTextCannotSay(t *testing.T) {
	good := Fault{Kind: Pause, At: 1, For: 1, Nodes: 1}
	if err := (Schedule{good}).Validate(2); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(f *Fault){
		"no kind":       func(f *Fault) { f.Kind = 0 },
		"unknown kind":  func(f *Fault) { f.Kind = lastKind + 1 },
		"node beyond":   func(f *Fault) { f.Nodes = 4 },
		"no node":       func(f *Fault) { f.Nodes = 0 },
		"peers":         func(f *Fault) { f.Peers = 2 },
		"groups":        func(f *Fault) { f.Groups = []NodeSet{1, 2} },
		"chance":        func(f *Fault) { f.Chance = Ratio{1, 2} },
		"amount":        func(f *Fault) { f.Amount = 1 },
		"via":           func(f *Fault) { f.Via = 1 },
		"peers only":    func(f *Fault) { f.Kind, f.Nodes, f.Peers = Clog, 0, 1 },
		"via below":     func(f *Fault) { *f = Fault{Kind: Bridge, For: 1, Groups: []NodeSet{1, 2}, Via: -1} },
		"partition via": func(f *Fault) { *f = Fault{Kind: Partition, For: 1, Groups: []NodeSet{1, 2}, Via: 1} },
		"group beyond":  func(f *Fault) { *f = Fault{Kind: Partition, For: 1, Groups: []NodeSet{1, 4}} },
		"met":           func(f *Fault) { f.Nodes |= Met },
		"two moments":   func(f *Fault) { f.When.Probe = "a" },
		"no situation":  func(f *Fault) { f.At, f.When.Skip = 0, 1 },
		"met, but met":  func(f *Fault) { f.At, f.When.Probe, f.Nodes = 0, "a", 1|Met|ButMet },
		"but met alone": func(f *Fault) { f.At, f.When.Probe, f.Nodes = 0, "a", ButMet },
		"met by beyond": func(f *Fault) { f.At, f.When = 0, Trigger{Probe: "a", By: 4} },
		"endless":       func(f *Fault) { f.For = 0 },
		"kill for":      func(f *Fault) { f.Kind = Kill },
		"empty group":   func(f *Fault) { *f = Fault{Kind: Partition, For: 1, Groups: []NodeSet{1, 0}} },
	} {
		f := good
		change(&f)
		if err := (Schedule{f}).Validate(2); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzParseSchedule: no text makes the parser panic, and what it accepts is
// valid and survives being written and read again.
func FuzzParseSchedule(f *testing.F) {
	f.Add(everyForm)
	f.Add("at 1s for 2s block n1->n2 , n3 # one way\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		schedule, err := ParseSchedule(text, names(6))
		if err != nil {
			return
		}
		if err := schedule.Validate(6); err != nil {
			t.Fatal(err)
		}
		back, err := ParseSchedule(schedule.Format(names(6)), names(6))
		if err != nil || !reflect.DeepEqual(back, schedule) {
			t.Fatalf("%q is read back as %v, %v", schedule.Format(names(6)), back, err)
		}
	})
}
