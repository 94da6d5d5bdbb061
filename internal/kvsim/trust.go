package kvsim

// trusting names what is demanded only as long as every disk keeps its word. Once a crash has taken back what a disk had
// called durable, its node may give the name of a write to another one, miss what it had revealed, and run a forward
// again, until it learns of that from others; and whoever saw what it revealed may build on what is gone. All else is
// demanded as ever, and what the sessions saw before that crash.
var trusting = map[string]bool{
	"crash.keeps_its_life":          true,
	"crash.keeps_what_was_shown":    true,
	"crash.keeps_what_was_answered": true,
	"have.is_applied":               true,
	"have.own_is_last_write":        true,
	"have.within_finals":            true,
	"final.is_the_last_write":       true,
	"final.counts_all_copies":       true,
	"serving.holds_what_retired":    true,
	"forward.runs_once":             true,
	"refusal.is_final":              true,
	"clock.above_its_past":          true,
	"write.replaces_what_was_there": true,
	"answer.tells_the_truth":        true,
	"answer.refused_did_not_run":    true,
	"token.is_request_and_version":  true,
	"read.follows_its_token":        true,
	"settled.vectors_are_complete":  true,
}
