// Package checker decides whether a recorded history of a replicated key-value store is causally
// convergent, and if it is not, explains which promise was broken and why.
//
// # Definitions
//
// A history is a set of operations on keys, grouped in sessions. Every write of a key creates a
// version of its own, so each read says which write it returned. A delete is a write. Three
// relations matter:
//
//	po   session order: a comes before b in one session
//	rf   reads-from:    w is the write whose version r returned
//	co   causal order:  (po ∪ rf)⁺, what an operation may have known
//
// The initial state, in which every key holds nothing, comes before everything. A read of nothing
// reads from the initial state.
//
// Causal convergence (CCv) is what a causal store with one arbitration order of all writes promises,
// last-writer-wins for instance: every read returns the last of the writes in its causal past, in one
// total order of the writes that contains co and is the same for all sessions. When versions are
// distinct, a history is causally convergent exactly when none of five patterns occurs:
//
//	CyclicCO         po ∪ rf has a cycle
//	ThinAirRead      a read of a version that nobody wrote
//	WriteCOInitRead  a read of nothing, with a write of the key in its causal past
//	WriteCORead      r reads w, with w co t co r for another write t of the key
//	CyclicCF         co ∪ cf has a cycle, where cf(t, w) holds if some read that returned w
//	                 had t, another write of the same key, in its causal past
//
// Causal memory (CM) is not demanded. It is incomparable with causal convergence: a last-writer-wins
// store legally produces histories that causal memory forbids.
//
// # Outcomes
//
// An acknowledged operation happened. A failed one surely did not and is ignored. An indeterminate
// write (the client gave up waiting) may have happened: it inherits the past of its session, gives
// its session nothing, and counts only if an acknowledged read returned it. An indeterminate read
// is ignored.
//
// # Algorithm
//
// One pass over the sessions along po ∪ rf keeps a vector clock per session. For each read r of w and
// each session that writes the key, only the last of that session's writes in the past of r matters:
// call it t. Is t = w, or t in the past of w, there is nothing to say. Is w the initial state, or in the
// past of t, a pattern is found. Otherwise t must come before w, an edge with the reason r. A pass for
// strongly connected components over po ∪ rf and these edges finds CyclicCF. Time and memory are
// O(n·k) for n operations and k sessions; nothing recurses.
//
// An indeterminate write stands in no session's chain. Its reader "adopts" it: the read is listed
// among the writes of the key by the reader's session, in its place. What an adopted write hides, an
// edge of its reader restores, so cycles are found without another dimension in the clocks.
//
// # Sources
//
// A. Bouajjani, C. Enea, R. Guerraoui, J. Hamza: On Verifying Causal Consistency, POPL 2017 (the
// definitions and patterns). AWDIT: An Optimal Weak Database Isolation Tester, PLDI 2025 (the
// algorithm, here for one operation per transaction). D. Terry et al.: Session Guarantees for Weakly
// Consistent Replicated Data, PDIS 1994 (the names that explanations use).
package checker
