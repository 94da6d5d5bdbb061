package view_test

import (
	"slices"
	"testing"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/view"
)

// after is the configuration that entries lead to.
func after(c *view.Configuration, entries ...view.Entry) *view.Configuration {
	for _, e := range entries {
		c, _ = c.Apply(c.Index+1, e)
	}
	return c
}

// asked is a request of the life 1 that it has not made yet.
func asked(c *view.Configuration, operation view.Operation) view.Entry {
	return view.Request{By: 1, Number: c.Index + 1, Operation: operation}
}

// allReported is the configuration once every life has reported that it did what it was waited for; nobody wrote anything.
func allReported(c *view.Configuration) *view.Configuration {
	var reports []view.Entry
	for i := range c.Members {
		r := view.Report{Life: c.Members[i].Life, Epoch: c.Epoch}
		for _, a := range c.AssignmentsOf(r.Life) {
			switch a.Stage {
			case view.Learning:
				r.Ready = append(r.Ready, a.Replica)
			case view.Closed:
				r.Sealed = append(r.Sealed, causal.Dot{Replica: a.Replica})
			case view.Prepared, view.Serving:
			}
		}
		reports = append(reports, r)
	}
	return after(c, reports...)
}

func TestNews(t *testing.T) {
	f := view.Founding{ShardCount: 2}
	for i, address := range []string{"a", "b", "c", "d"} {
		f.Founders = append(f.Founders, view.Founder{Address: address, Life: view.LifeID(i + 1)})
	}
	founded := view.Found(f)
	merge := view.StartReshard{Count: 1, Up: []string{"a", "b", "c", "d"}}
	copying := after(founded, asked(founded, merge))
	aborted := after(copying, asked(copying, view.Abort{Started: copying.Reshard.Started}))
	again := after(aborted, asked(aborted, view.StartReshard{Count: 2, Up: merge.Up}))
	switched := allReported(copying)
	done := allReported(switched)
	died := after(done, view.Enter{Address: "b", Life: 7, Instead: 2})
	forgot := after(founded, view.Enter{Address: "b", Life: 7, Instead: 2})
	deleted := after(founded, asked(founded, view.Remove{Address: "c", Down: []view.LifeID{3}}))
	invited := after(founded, asked(founded, view.Invite{Address: "e"}))
	reinvited := after(deleted, asked(deleted, view.Invite{Address: "c"}))
	met := after(invited, view.Enter{Address: "e", Life: 8})
	for _, test := range []struct {
		name      string
		old, next *view.Configuration
		want      []string
	}{
		{"nothing", founded, founded, nil},
		{"a stranger joins", founded, after(founded, view.Enter{Address: "e", Life: 8}), []string{"e has joined the store"}},
		{"invited", founded, invited, nil},
		{"who was invited joins", invited, met, []string{"e has joined the store"}},
		{"amnesia", founded, forgot, []string{"b came back without its memory, as a new life"}},
		{"deleted", founded, deleted, []string{"c was deleted from the view"}},
		{"deleted and invited", founded, reinvited, []string{"c was deleted from the view, and invited again"}},
		{"back without a place", founded, after(reinvited, view.Enter{Address: "c", Life: 9}), []string{"c came back without its memory, as a new life"}},
		{"never met", invited, founded, []string{"e was deleted from the view"}},
		{"several at once", after(deleted, view.Enter{Address: "e", Life: 8}), forgot, []string{
			"b came back without its memory, as a new life", "c has joined the store", "e was deleted from the view",
		}},
		{"reshard begun", founded, copying, []string{"reshard to 1 shard, epoch 2: begun, from 2; 512 slots move"}},
		{"copied by some", copying, after(copying, view.Report{Life: 1, Epoch: 2, Ready: []causal.ReplicaID{5}}), nil},
		{"switched", copying, switched, []string{"reshard to 1 shard, epoch 3: switched, the new owners serve"}},
		{"done", switched, done, []string{"reshard to 1 shard, epoch 4: done, the former owners have handed over"}},
		{"done at once", copying, done, []string{
			"reshard to 1 shard, epoch 4: switched, the new owners serve", "reshard to 1 shard, epoch 4: done, the former owners have handed over",
		}},
		{"never seen to begin", founded, switched, []string{"reshard to 1 shard, epoch 3: switched, the new owners serve"}},
		{"rolled back", copying, aborted, []string{"reshard to 1 shard, epoch 3: rolled back, 2 serve as before"}},
		{"rolled back at once", founded, aborted, []string{"reshard to 1 shard, epoch 3: rolled back, 2 serve as before"}},
		{"another one", aborted, again, []string{"reshard to 2 shards, epoch 4: begun, from 2; 0 slots move"}},
		{"another one, of which one knows no end", copying, again, []string{"reshard to 2 shards, epoch 4: begun, from 2; 0 slots move"}},
		{"given up by a death", copying, after(copying, view.Enter{Address: "b", Life: 7, Instead: 2}), []string{
			"b came back without its memory, as a new life", "reshard to 1 shard, epoch 3: rolled back, 2 serve as before",
		}},
		{"a death after it", done, died, []string{"b came back without its memory, as a new life"}},
		{"which is over", died, allReported(died), nil},
	} {
		if got := view.News(test.old, test.next); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
