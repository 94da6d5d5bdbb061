package kvsim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sequitur-kv/sequitur/netsim"
)

// TestCapsuleIsTheSeed: what is written runs as the seed did, and reads back as it was.
func TestCapsuleIsTheSeed(t *testing.T) {
	for _, name := range ScenarioNames() {
		scenario, err := ScenarioNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		runner := NewRunner(scenario)
		for seed := range seeds(5) {
			result := runner.Run(seed)
			recorded := Record(&scenario, &result)
			text := recorded.Format()
			parsed, err := ParseCapsule(text)
			if err != nil {
				t.Fatalf("%s, seed %d: %v\n%s", name, seed, err, text)
			}
			if diff := cmp.Diff(recorded, parsed); diff != "" {
				t.Errorf("%s, seed %d: it reads back differently: %s", name, seed, diff)
			}
			again, err := parsed.Run(nil)
			if err != nil || again.Digest != result.Digest || parsed.Differs(&again, false) != "" {
				t.Errorf("%s, seed %d: %016x becomes %016x, %v", name, seed, result.Digest, again.Digest, err)
			}
		}
	}
}

const smallCapsule = `capsule 1
scenario standard
seed 7    # lucky
expect violated monotonic reads

operations
at 4s B-0 n2 get k0 within 3s fresh both
at 3s A-0 n1 put k0 {"a":[1,2]} within 2.5s
at 5s B-1 n2 delete k1 within 3s
faults
at 1s for 2s isolate n3 from n1,n2
`

func TestCapsuleIsEasyToWrite(t *testing.T) {
	c, err := ParseCapsule(smallCapsule)
	if err != nil {
		t.Fatal(err)
	}
	if c.Seed != 7 || c.Phases != Standard().Phases || c.Verdict != Violated || c.Rule != "monotonic reads" || c.Digest != 0 {
		t.Errorf("%+v", c)
	}
	if len(c.Faults) != 1 || c.Faults[0].Kind != netsim.Isolate || len(c.Operations) != 3 {
		t.Fatalf("%+v", c)
	}
	a, b := c.Operations[0], c.Operations[1]
	if a.Client != 0 || a.Value != `{"a":[1,2]}` || a.Timeout != 2500*netsim.Millisecond || b.Client != 1 || !b.Fresh || !b.Both || b.Node != 1 {
		t.Errorf("%+v\n%+v", a, b)
	}
	result, err := c.Run(nil)
	if err != nil || result.Verdict != Holds || result.Operations != 3 {
		t.Errorf("%+v, %v", result, err)
	}
	if differs := c.Differs(&result, false); differs != "it expects violated monotonic reads, the run is holds" {
		t.Error(differs)
	}
}

func TestCapsuleErrorsNameTheLine(t *testing.T) {
	for _, test := range []struct{ old, text, want string }{
		{"capsule 1", "capsule 2", "line 1 of the capsule: this release reads capsules of version 1"},
		{"capsule 1\n", "", `line 1 of the capsule: "scenario" comes before the line "capsule 1"`},
		{"standard", "nonsense", "line 2 of the capsule: no scenario is named \"nonsense\"; known are: standard, restarts, single"},
		{"seed 7", "seed -7", `line 3 of the capsule: "-7" is not a seed`},
		{"seed 7", "seed 7 8", `line 3 of the capsule: "seed" needs one word`},
		{"seed 7", "seed 7\nseed 7", `line 4 of the capsule: "seed" is there twice`},
		{"seed 7", "speed 7", `line 3 of the capsule: "speed" is unknown; known are scenario`},
		{"expect violated monotonic reads", "expect", "line 4 of the capsule: expect what?"},
		{"violated monotonic reads", "violated", "line 4 of the capsule: which rule"},
		{"violated monotonic reads", "holds monotonic reads", "line 4 of the capsule: what holds breaks no rule"},
		{"violated", "maybe", `line 4 of the capsule: "maybe" is no verdict`},
		{"expect violated monotonic reads", "", `the capsule: the line "expect" is missing`},
		{"at 4s", "when 4s", "line 7 of the capsule: this is no operation; write it like"},
		{"at 4s", "at 4", "line 7 of the capsule: \"4\" is not a time"},
		{"B-0", "Z-0", `line 7 of the capsule: "Z-0" names no operation; write A-0 to F-`},
		{"B-1", "B-0", "line 9 of the capsule: B-0 is there twice"},
		{"n2 get", "n7 get", `line 7 of the capsule: "n7" is no node; known are n1, n2`},
		{"n2 get", "n2 fetch", `line 7 of the capsule: "fetch" is unknown; known are get`},
		{"get k0", "get k10", `line 7 of the capsule: "k10" is no key`},
		{`{"a":[1,2]}`, "word", "line 8 of the capsule: word is not a JSON value"},
		{"within 3s fresh", "for 3s fresh", "line 7 of the capsule: how long does the client wait?"},
		{"within 2.5s", "within 0s", "line 8 of the capsule: an operation begins and waits"},
		{"fresh both", "fresh bath", `line 7 of the capsule: "bath" is too much`},
		{"isolate n3", "isolate n9", `line 11 of the capsule: "n9" names no node`},
		{"isolate n3 from n1,n2", "crash c1", "line 11 of the capsule: faults hit nodes of the store only"},
		{"at 1s for 2s isolate n3 from n1,n2", "when stream.gap then pause others for 2s", "line 11 of the capsule: faults hit nodes of the store only"},
		{"at 1s for 2s isolate n3 from n1,n2", "when stream.gap then after 601s pause met for 2s", "line 11 of the capsule: a fault begins before 600s"},
		{"at 1s for 2s isolate n3 from n1,n2", "when stream.gap at c1 then pause met for 2s", "line 11 of the capsule: faults hit nodes of the store only"},
		{"at 1s for 2s isolate n3 from n1,n2", "when stream.gap pause met for 2s", `line 11 of the capsule: expected "then", found "pause"`},
		{"isolate", "explode", `line 11 of the capsule: "explode" is not a fault; known are`},
		{"seed 7", "seed 7\nheals 90s", "the capsule: it heals at 90s, settles at 80s"},
		{"at 4s", "at 81s", "the capsule: B-0 is due at 81s, after all has to be settled"},
		{"seed 7", "seed 7\ndigest xyz", `line 4 of the capsule: "xyz" is not a digest`},
		{"seed 7", "seed 7\njudge beauty", `line 4 of the capsule: "beauty" is no judge`},
	} {
		text := strings.Replace(smallCapsule, test.old, test.text, 1)
		if _, err := ParseCapsule(text); err == nil || !strings.HasPrefix(err.Error(), "kvsim: "+test.want) {
			t.Errorf("%q instead of %q: %v\nwant %s", test.text, test.old, err, test.want)
		}
	}
}

func TestCapsuleOfAdministration(t *testing.T) {
	const text = "capsule 1\nscenario membership\nseed 1\nexpect holds\nfaults\noperations\n"
	for _, test := range []struct{ line, want string }{
		{"at 5s G-0 n3 invite n7 within 10s", ""},
		{"at 5s H-0 n3 remove n2 within 10s", ""},
		{"at 5s G-0 n3 add-member n7 2 within 10s", ""},
		{"at 5s G-0 n3 reshard 3 within 10s", ""},
		{"at 5s A-0 n3 reshard 3 within 10s", "client A does not administer the store; those who do come after F"},
		{"at 5s G-0 n3 reshard 0 within 10s", `"0" is no number of shards`},
		{"at 5s G-0 n3 invite n9 within 10s", `"n9" is no node`},
		{"at 5s G-0 n3 add-member n7 within 10s", `"within" is no shard`},
		{"at 5s G-0 n3 remove n7 for 10s", "how long does the client wait?"},
		{"at 5s I-0 n3 reshard 3 within 10s", `"I-0" names no operation; write A-0 to H-`},
	} {
		c, err := ParseCapsule(text + test.line + "\n")
		if test.want != "" {
			if err == nil || !strings.HasPrefix(err.Error(), "kvsim: line 7 of the capsule: "+test.want) {
				t.Errorf("%s: %v", test.line, err)
			}
			continue
		}
		if err != nil || !strings.HasSuffix(c.Format(), "\noperations\n"+test.line+"\n") {
			t.Errorf("%s: %v\n%s", test.line, err, c.Format())
		}
	}
}

// FuzzCapsule: no text makes the parser panic, and what it takes is written so that it reads back equal.
func FuzzCapsule(f *testing.F) {
	f.Add(smallCapsule)
	f.Add("capsule 1\nscenario single\nseed 1\njudge linearizability\nheals 2s\nsettles 3s\nends 4s\nexpect undecided x y\ndigest ff\nfaults\noperations\n")
	f.Add("capsule 1\nscenario restarts\nseed 1\nexpect holds\nfaults\nat 1s for 2s bridge n1,n2 | n4..n6 via n3\nat 1s for 1s loss 1/5 all\n" +
		"at 0s for 2s skew -250ms n1\nwhen 3rd stream.gap at n1..n3 then after 5ms bridge n1,n2 but met | n3 via met for 1s\nat 4s kill n3\noperations\nat 1s F-3 n6 put k9 null within 1us\n")
	f.Add("capsule 1\nscenario membership\nseed 1\nexpect holds\nfaults\noperations\nat 5s G-0 n3 add-member n7 2 within 10s\nat 6s H-0 n1 reshard 3 within 1s\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCapsule(text)
		if err != nil {
			return
		}
		written := c.Format()
		again, err := ParseCapsule(written)
		if err != nil {
			t.Fatalf("what was written does not read back: %v\n%s", err, written)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("it reads back differently: %s\n%s", diff, written)
		}
	})
}
