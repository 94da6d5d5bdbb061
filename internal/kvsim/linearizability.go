package kvsim

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/sequitur-kv/sequitur/checker"
)

// Linearizability is more than the store promises: it is a control. One node alone has it in every run;
// replicas that write without asking each other lose it, and a judge that does not notice is none.

// linearBudget is how many steps the search may take for one key. It counts work, not time, so that
// a verdict is the same on every machine.
const linearBudget = 2_000_000

// registerInput is what an operation asks of a register: a write of a value, or a read.
type registerInput struct {
	Key, Node, Value string // Value: "" deletes
	Write            bool
}

// register is a key as porcupine sees it; "" stands for nothing and budget for the
// steps that are left: below zero, the answer means nothing.
func register(budget *int) porcupine.Model {
	return porcupine.Model{
		Partition: byKey,
		Init:      func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			if *budget--; *budget < 0 {
				return false, state
			}
			return registerStep(state, input, output)
		},
		DescribeOperation: describeRegister,
		DescribeState:     func(state any) string { return orNothing(state.(string)) },
	}
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

func describeRegister(input, output any) string {
	in := input.(registerInput)
	switch {
	case !in.Write:
		return fmt.Sprintf("get %s at %s: %s", in.Key, in.Node, orNothing(output.(string)))
	case in.Value == "":
		return fmt.Sprintf("delete %s at %s", in.Key, in.Node)
	}
	return fmt.Sprintf("put %s %s at %s", in.Key, in.Value, in.Node)
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	sorted := slices.Clone(history)
	key := func(o porcupine.Operation) string { return o.Input.(registerInput).Key }
	slices.SortStableFunc(sorted, func(a, b porcupine.Operation) int { return cmp.Compare(key(a), key(b)) })
	var parts [][]porcupine.Operation
	for first, i := 0, 1; i <= len(sorted); i++ {
		if i == len(sorted) || key(sorted[i]) != key(sorted[first]) {
			parts = append(parts, sorted[first:i])
			first = i
		}
	}
	return parts
}

// registers is the history as operations of registers. What is open at the moment until (in nanoseconds;
// the end of the run leaves nothing out) may take effect at any time later, or not at all.
func (r *run) registers(key string, until int64) (history []porcupine.Operation, numbers []int32) {
	end := int64(r.scenario.End) + 1
	for i := range r.history {
		o := &r.history[i]
		open := o.Outcome == checker.Indeterminate || o.Returned > until
		if open && o.Kind == checker.Write && !r.isRead(o.Value, until) {
			continue // it may come after everything, so it explains nothing and costs much
		}
		if key != "" && o.Key != key || o.Outcome == checker.Failed || o.Invoked > until || open && o.Kind == checker.Read {
			continue
		}
		operation := porcupine.Operation{
			ClientId: r.plan[r.historyOf[i]].Client, Call: o.Invoked, Return: o.Returned, Output: o.Value,
			Input: registerInput{Key: o.Key, Node: o.Node, Write: o.Kind != checker.Read, Value: o.Value},
		}
		if o.Kind == checker.Delete {
			operation.Input = registerInput{Key: o.Key, Node: o.Node, Write: true}
		}
		if open {
			operation.Return = end
		}
		history, numbers = append(history, operation), append(numbers, r.historyOf[i])
	}
	return history, numbers
}

// isRead tells whether a read that ended by until returned a value.
func (r *run) isRead(value string, until int64) bool {
	return slices.ContainsFunc(r.history, func(o checker.Operation) bool {
		return o.Kind == checker.Read && o.Outcome == checker.Acknowledged && o.Value == value && o.Returned <= until
	})
}

// linearizable judges one key up to a moment. The zero verdict means that the budget did not suffice.
func (r *run) linearizable(key string, until int64) Verdict {
	history, _ := r.registers(key, until)
	budget := linearBudget
	ok := porcupine.CheckOperations(register(&budget), history)
	return searched(ok, budget)
}

// searched is what a search found that may use up a budget of steps; below zero it did not suffice.
func searched(found bool, budget int) Verdict {
	switch {
	case budget < 0:
		return Undecided
	case found:
		return Holds
	}
	return Violated
}

// checkLinearizable judges the whole history; nil if it is linearizable.
func (r *run) checkLinearizable() *Failure {
	undecided := ""
	for _, key := range r.keys {
		switch r.linearizable(key, int64(r.scenario.End)) {
		case Violated:
			return r.explainRegister(key)
		case Undecided:
			undecided = key
		case Holds:
		}
	}
	if undecided == "" {
		return nil
	}
	return &Failure{Kind: KindUndecided, Name: "linearizability", Explanation: fmt.Sprintf(
		"linearizability is undecided: the history of %s takes more than %d steps; try another seed, or shorter operations", undecided, linearBudget)}
}

// explainRegister finds the first answer that no order explains: up to it the history is linearizable.
func (r *run) explainRegister(key string) *Failure {
	history, numbers := r.registers(key, int64(r.scenario.End))
	order := make([]int, 0, len(history))
	for i := range history {
		if history[i].Return <= int64(r.scenario.End) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(history[a].Return, history[b].Return) })
	first, _ := slices.BinarySearchFunc(order, Violated, func(i int, _ Verdict) int {
		if r.linearizable(key, history[i].Return) == Violated {
			return 0
		}
		return -1
	})
	f := &Failure{Kind: KindLinearizability, Name: "linearizability"}
	if first == len(order) { // only pieces of the history are too hard for the budget
		f.Explanation = fmt.Sprintf("the history of %s is not linearizable", key)
		return f
	}
	culprit := order[first]
	f.read = numbers[culprit] + 1
	var b strings.Builder
	fmt.Fprintf(&b, "the history of %s is not linearizable: no order of the operations explains\n", key)
	for _, i := range order[max(0, first-5) : first+1] {
		o := &history[i]
		fmt.Fprintf(&b, "\n    %.3f to %.3f s   %s   %s", float64(o.Call)/1e9, float64(o.Return)/1e9,
			clientName(o.ClientId), describeRegister(o.Input, o.Output))
	}
	b.WriteString("   <- this one")
	f.Explanation = b.String()
	return f
}

// Visualize writes an HTML page of the history of the latest run, by porcupine, with the faults that
// touched something as annotations.
func (r *Runner) Visualize(w io.Writer, result *Result) error {
	history, _ := r.run.registers("", int64(r.run.scenario.End))
	decided := history[:0]
	verdicts := make(map[string]Verdict)
	for _, key := range r.run.keys {
		verdicts[key] = r.run.linearizable(key, int64(r.run.scenario.End))
	}
	for _, o := range history { // what took too long once is left out
		if verdicts[o.Input.(registerInput).Key] != Undecided {
			decided = append(decided, o)
		}
	}
	model := register(nil)
	model.Step = registerStep // all keys have passed, or failed, within the budget
	_, info := porcupine.CheckOperationsVerbose(model, decided, 0)
	var annotations []porcupine.Annotation
	for i := range result.Faults {
		f := &result.Faults[i]
		if f.Touched == 0 {
			continue
		}
		annotations = append(annotations, porcupine.Annotation{
			Tag: "fault: " + f.Fault.Kind.String(), Start: int64(f.Began), End: int64(max(f.Ended, f.Began)),
			Description: f.Fault.Kind.String(), Details: reportInWords(f, r.run.names), BackgroundColor: "#f6d5c4",
		})
	}
	info.AddAnnotations(annotations)
	return porcupine.Visualize(model, info, w)
}

// registerStep is the step of a register without a budget.
func registerStep(state, input, output any) (bool, any) {
	if in := input.(registerInput); in.Write {
		return true, in.Value
	}
	return output == state, state
}
