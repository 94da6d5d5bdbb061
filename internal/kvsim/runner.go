package kvsim

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/sequitur-kv/sequitur/checker"
	"github.com/sequitur-kv/sequitur/netsim"
)

// Runner runs seeds of one scenario, one after the other, in memory that it keeps. It belongs to one
// goroutine.
type Runner struct {
	scenario Scenario
	phases   Phases // of the scenario
	run      *run
}

// NewRunner makes a runner for a scenario.
func NewRunner(s Scenario) *Runner {
	r := &Runner{scenario: s, phases: s.Phases}
	r.run = newRun(&r.scenario)
	return r
}

// Options change a run. The zero value changes nothing.
type Options struct {
	Plan     []Operation       // instead of the operations that the seed draws; nil: draw them
	Schedule netsim.Schedule   // instead of the faults that the seed draws; nil: draw them
	Phases   Phases            // instead of those of the scenario; zero: those
	Trace    func(line string) // gets one line per event; nil: none
	Tell     bool              // Result.Story says what happened

	// walk runs first; true: it has shown all that there is to see. Nil: nothing does.
	walk func(w *netsim.World[Packet]) bool
}

// Run runs one seed.
func (r *Runner) Run(seed uint64) Result { return r.RunWith(seed, Options{}) }

// RunWith runs one seed with changes. The failure of the result belongs to the caller, as all of it.
func (r *Runner) RunWith(seed uint64, options Options) (result Result) {
	s := &r.scenario
	if s.Phases = r.phases; options.Phases != (Phases{}) {
		s.Phases = options.Phases
	}
	result = Result{Seed: seed, Scenario: s.Name}
	defer func() {
		if cause := recover(); cause != nil { // outside of the world, which catches its own
			result.Verdict, result.Failure = Violated, panicked(cause, debug.Stack())
		}
	}()
	schedule := options.Schedule
	if schedule == nil {
		schedule = s.Schedule(netsim.Seed(seed))
	}
	r.run.reset(netsim.Seed(seed), options.Plan, schedule)
	r.run.tells = options.Tell
	result.Operations = int(r.run.repairs)
	world, err := netsim.New(netsim.Config[Packet]{
		Seed: netsim.Seed(seed), Names: r.run.inhabitants(), Boot: r.run.boot,
		Network: s.Network, Disk: s.disk(netsim.Seed(seed)), Schedule: schedule,
		StartWithin: s.StartWithin, StartAt: s.startAt(netsim.Seed(seed)), ChaosEnd: s.ChaosEnd, End: s.End,
		Encode: encodePacket, Describe: describePacket, Trace: options.Trace,
		Invariant: r.run.invariant,
	})
	if err != nil {
		r.run.fail("world", bare(err).Error())
		result.Failure, result.Verdict = r.run.failure, Violated
		return result
	}
	r.run.world = world
	if options.walk != nil && options.walk(world) && world.Violation() == nil && r.run.failure == nil {
		result.Verdict, result.Events = Holds, world.Events()
		return result
	}
	violation := world.Run()
	result.Failure = r.run.conclude(violation)
	result.Ruin = r.run.ruin()
	result.Verdict = Holds
	if result.Failure != nil {
		result.Verdict = Violated
		if result.Failure.Kind == KindUndecided {
			result.Verdict = Undecided
		}
	}
	result.Digest, result.Events, result.Virtual = world.Digest(), world.Events(), world.Now()
	result.Probes = world.Probes()
	result.Faults = world.Faults()
	result.Stats = r.run.stats(result.Faults)
	if options.Tell {
		result.Story = r.run.story(&result)
	}
	return result
}

// invariant stops the world at the first failure.
func (r *run) invariant(w *netsim.World[Packet]) error {
	if w.Events() > r.scenario.MaxEvents {
		r.goesOn = false
		r.fail("world.is_quiet", fmt.Sprintf("%d events by %s: messages breed messages", w.Events(), seconds(w.Now())))
	}
	if r.stopped() {
		return r.failure
	}
	if r.gone() {
		w.Stop()
	}
	return nil
}

// stopped tells whether a failure stops the run.
func (r *run) stopped() bool { return r.failure != nil && !r.goesOn }

// fail notes the first failure of a run.
func (r *run) fail(name, explanation string) {
	if r.failure == nil {
		r.failure = &Failure{Kind: r.phase(), Name: name, Explanation: explanation}
		if r.world != nil {
			r.failure.At = r.world.Now()
		}
	}
}

// phase is the kind of a failure that is found now.
func (r *run) phase() Kind {
	if r.settled {
		return KindPromise
	}
	return KindInvariant
}

// Error makes a failure an error, so that it can stop a world.
func (f *Failure) Error() string { return f.Headline() }

// conclude is the verdict on a run that is over: what stopped it, else what its history shows.
func (r *run) conclude(violation error) *Failure {
	var stopped *netsim.Violation
	if errors.As(violation, &stopped) {
		f := r.failure
		if f == nil || stopped.Panic {
			f = panicked(stopped.Err, stopped.Stack)
			if !stopped.Panic {
				f = &Failure{Kind: KindInvariant, Name: "world", Explanation: bare(stopped.Err).Error()}
			}
		}
		if f.At == stopped.At || f.At == 0 { // else the run went on for a while
			f.At, f.Event = stopped.At, stopped.Event
		}
		r.failure = f
	}
	if causal := r.checkHistory(); causal != nil {
		// What the sessions saw says more to a person than the inner rule that broke on the way.
		if r.failure == nil || r.failure.Kind != KindPanic && causal.Kind == KindCausal {
			return causal
		}
	}
	if r.failure != nil {
		return r.failure
	}
	ruined := r.ruin() != "" // who waited in vain for what is lost may not be done
	for i := range r.clients {
		if c := &r.clients[i]; !ruined && (c.waiting || c.next < len(c.operations)) {
			r.settled = true
			r.fail("audit.is_finished", "client "+clientName(i)+" is not done when the run ends")
		}
	}
	if r.failure == nil && r.scenario.Linearizable {
		return r.checkLinearizable()
	}
	if r.failure == nil && r.scenario.Administration.Clients > 0 {
		return r.checkAdministration()
	}
	return r.failure
}

// panicked is the failure of a run that ended in a panic.
func panicked(cause any, stack []byte) *Failure {
	return &Failure{Kind: KindPanic, Name: "panic", Explanation: fmt.Sprintf("%v\n\n%s", cause, stack)}
}

// checkHistory is the verdict of the checker on what the sessions saw; nil if it holds.
func (r *run) checkHistory() *Failure {
	for i := range r.clients { // a run that was stopped: what is under way may have happened
		c := &r.clients[i]
		if number := c.current(); number >= 0 && !r.isAudit(number) && r.plan[number].Op.Writes() {
			r.record(c.session, number, nil, checker.Indeterminate)
		}
	}
	r.complete()
	operations, of := r.judged()
	history := checker.History{Operations: operations, Sessions: r.sessions}
	verdict, err := checker.CheckCausal(history)
	switch {
	case err != nil:
		return &Failure{Kind: KindPanic, Name: "harness.history", Explanation: err.Error()}
	case verdict.OK():
		return nil
	}
	kind := KindCausal
	if verdict.Status == checker.Undecided {
		kind = KindUndecided
	}
	err = explained(func(w io.Writer) error { return verdict.Explain(w, history) })
	f := &Failure{Kind: kind, Name: verdict.Rule.String(), Explanation: err.Error()}
	if kind == KindCausal {
		f.Guarantee = verdict.Guarantee.String()
		if verdict.Read >= 0 {
			f.read = of[verdict.Read] + 1
		}
	}
	return f
}
