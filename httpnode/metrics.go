package httpnode

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// The metrics of a node; SPEC.md §16 says what they mean.
var (
	requestsMetric      = metric("requests_total", "Requests of clients, by what they asked for and how they ended.", "operation", "outcome")
	durationMetric      = metric("request_duration_seconds", "Time from a valid request to its answer.", "operation")
	inFlightMetric      = metric("requests_in_flight", "Requests of clients under way.")
	waitingMetric       = metric("waiting_requests", "Requests that wait for dependencies or other nodes.")
	waitingBytesMetric  = metric("waiting_bytes", "Keys and values of the requests that wait.")
	parkedMetric        = metric("parked_requests", "Requests that wait for dependencies.")
	parkedTotalMetric   = metric("parked_total", "Requests that began to wait for dependencies.")
	proxiedMetric       = metric("proxied_total", "Reads that a sibling was asked to answer while they waited here.")
	forwardedMetric     = metric("forwarded_total", "Requests handed to an owner of their key, second tries included.")
	indeterminateMetric = metric("indeterminate_total", "Writes whose outcome their client could not be told.")
	tokensMetric        = metric("tokens_refused_total", "Requests whose causal-metadata is not from this store.")
	servingMetric       = metric("serving", "1 while the node serves clients, else 0.")
	epochMetric         = metric("epoch", "Epoch of the configuration; 0 until the store has formed.")
	phaseMetric         = metric("reshard_phase", "1 for the phase of the last reshard, else 0.", "phase")
	movedMetric         = metric("reshard_keys_moved", "Keys that the members have copied for the last reshard.")
	toMoveMetric        = metric("reshard_keys_to_move", "Keys that the members are to copy for it, as far as they know.")
	membersMetric       = metric("members", "Members of the store, by what they are in the configuration.", "state")
	votersMetric        = metric("voters", "Members that vote on the configuration.")
	votersUpMetric      = metric("voters_up", "Members that vote and that this node presumes up, itself included.")
	leaderMetric        = metric("leader", "1 while the node leads those that vote, else 0.")
	upMetric            = metric("members_up", "Members that this node presumes up, itself included.")
	peerUpMetric        = metric("peer_up", "1 while this node presumes the peer up, else 0.", "peer")
	lagMetric           = metric("replication_lag", "Own writes that a sibling has not told it holds durably.", "peer")
	keysMetric          = metric("keys", "Keys held here that are not deleted.")
	tombstonesMetric    = metric("tombstones", "Deleted keys whose deletion is kept here.")
	heldMetric          = metric("held_writes", "Writes of siblings that wait for what they follow.")
	copyingMetric       = metric("copying", "1 while a copy of a sibling's state is under way, else 0.")
	restoredMetric      = metric("restore_keys_restored", "Keys from a backup that are in the store, while a restore goes on.")
	toRestoreMetric     = metric("restore_keys_to_restore", "Keys that this node is to bring from a backup into the store; 0 when all are.")
	positionMetric      = metric("log_position", "Log position of the node's state.")
	durableMetric       = metric("log_durable", "Log position up to which the log is durable.")
	undurableMetric     = metric("log_held_outputs", "Answers and messages that wait for the log.")
	fullMetric          = metric("disk_full", "1 while the node goes on with reading alone since its disk is full, else 0.")
	freeMetric          = metric("disk_free_bytes", "Free space of the data directory's file system; 0 in memory.")
	leastMetric         = metric("disk_least_bytes", "Free space below which the node does not write; 0 in memory.")
	probesMetric        = metric("situations_total", "Rare situations that the machine met, by name.", "name")
	queueMetric         = metric("peer_queue_bytes", "Estimated memory of the messages queued for a peer.", "peer")
	queuedMetric        = metric("peer_queue_messages", "Messages queued for a peer.", "peer")
	sentMetric          = metric("peer_messages_total", "Messages delivered to a peer.", "peer")
	bodiesMetric        = metric("peer_bodies_total", "Chunks of HTTP requests that delivered them.", "peer")
	droppedMetric       = metric("peer_messages_dropped_total", "Messages to a peer that were given up.", "peer")
	connectionsMetric   = metric("connections", "Open connections of clients and peers.")
	turnedAwayMetric    = metric("connections_refused_total", "Connections turned away because too many were open.")
)

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sequitur_"+name, help, labels, nil)
}

// metrics reads the figures of a node when it is scraped; nothing is computed before.
type metrics struct{ node *Node }

// Describe says that every scrape tells what there is: peers come and go.
func (metrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends all figures.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	s := m.node.engine.snapshot()
	m.requests(out)
	m.machine(out, &s)
	m.members(out, &s)
	m.transport(out)
}

func gauge[T int | int64 | uint64](out chan<- prometheus.Metric, desc *prometheus.Desc, value T, labels ...string) {
	out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
}

func counter(out chan<- prometheus.Metric, desc *prometheus.Desc, value uint64, labels ...string) {
	out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
}

func truth(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// operationName is the label of what operations are counted as.
func operationName(as int) string {
	switch as {
	case countedOther:
		return "other"
	case countedAdministration:
		return "administration"
	default:
		return strings.ToLower(wire.Op(as).String())
	}
}

// outcomeName is the label of an outcome, "" for one that no such request can have.
func outcomeName(as int, o outcome) string {
	status := wire.Status(o)
	switch {
	case o == outcomeInvalid:
		return "invalid"
	case o == outcomeGivenUp:
		return "given_up"
	case o == outcomeUnknown || status == 0 || status > wire.StatusFull:
		return ""
	}
	switch status {
	case wire.StatusWaiting, wire.StatusUncovered, wire.StatusMoved:
		return "" // between nodes only
	case wire.StatusDeclined, wire.StatusNoMajority, wire.StatusRolledBack, wire.StatusUnfinished:
		if as != countedAdministration {
			return ""
		}
	default:
	}
	return strings.ReplaceAll(status.String(), " ", "_")
}

// requests sends what the requests came to. Every series of an operation on keys exists from the beginning,
// or the first event of each would be invisible to rate().
func (m metrics) requests(out chan<- prometheus.Metric) {
	f := &m.node.engine.requests
	var indeterminate, refused uint64
	for as := range countedEnd {
		ended := &f.ended[as]
		for o := range outcomeEnd {
			count := ended[o].Load()
			if wire.Status(o) == wire.StatusUnknown { // whoever found it out
				count += ended[outcomeUnknown].Load()
				if wire.Op(as).Writes() {
					indeterminate += count
				}
			}
			if name := outcomeName(as, o); name != "" {
				counter(out, requestsMetric, count, operationName(as), name)
			}
		}
		refused += ended[wire.StatusBadToken].Load()
		out <- f.duration[as].metric(operationName(as))
	}
	counter(out, indeterminateMetric, indeterminate)
	counter(out, tokensMetric, refused)
	gauge(out, inFlightMetric, m.node.inFlight.Load())
}

// metric is the histogram as it is now. Its count is the sum of its buckets, so that it agrees with itself.
func (h *histogram) metric(operation string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(durationBounds))
	count := uint64(0)
	for i := range durationBounds {
		count += h.buckets[i].Load()
		buckets[durationBounds[i].Seconds()] = count
	}
	count += h.buckets[len(durationBounds)].Load()
	sum := float64(h.total.Load()) / 1e9
	return prometheus.MustNewConstHistogram(durationMetric, count, sum, buckets, operation)
}

func (m metrics) machine(out chan<- prometheus.Metric, s *snapshot) {
	gauge(out, servingMetric, truth(s.obstacle == ""))
	gauge(out, waitingMetric, s.Waiting)
	gauge(out, waitingBytesMetric, s.WaitingBytes)
	gauge(out, parkedMetric, s.Parked)
	counter(out, parkedTotalMetric, s.of(core.ProbeParked))
	counter(out, proxiedMetric, s.proxied)
	counter(out, forwardedMetric, s.forwarded)
	gauge(out, epochMetric, s.epoch)
	gauge(out, keysMetric, s.Keys)
	gauge(out, tombstonesMetric, s.Tombstones)
	gauge(out, heldMetric, s.Held)
	gauge(out, copyingMetric, truth(s.Copying))
	gauge(out, restoredMetric, s.Restored)
	gauge(out, toRestoreMetric, s.ToRestore)
	gauge(out, positionMetric, uint64(s.position))
	gauge(out, durableMetric, uint64(s.durable))
	gauge(out, undurableMetric, s.held)
	gauge(out, fullMetric, truth(s.room.full))
	gauge(out, freeMetric, s.room.free)
	gauge(out, leastMetric, s.room.least)
	for _, p := range s.probes {
		counter(out, probesMetric, p.count, string(p.probe))
	}
}

func (m metrics) members(out chan<- prometheus.Metric, s *snapshot) {
	up, states := 0, map[memberState]int{}
	for _, member := range s.members {
		up += truth(member.up)
		states[member.state]++
		if member.Address == m.node.Address() {
			continue
		}
		gauge(out, peerUpMetric, truth(member.up), member.Address)
		if member.Shard != 0 && member.Shard == s.shard {
			gauge(out, lagMetric, member.unconfirmed, member.Address)
		}
	}
	for _, state := range memberStates {
		gauge(out, membersMetric, states[state], string(state))
	}
	gauge(out, upMetric, up)
	gauge(out, votersMetric, s.Voters)
	gauge(out, votersUpMetric, s.VotersUp)
	gauge(out, leaderMetric, truth(s.Leader == m.node.Address()))
	for _, phase := range []core.Phase{core.PhaseIdle, core.PhaseCopying, core.PhaseSwitched} {
		gauge(out, phaseMetric, truth(s.Progress.Phase == phase), phase.String())
	}
	gauge(out, movedMetric, s.Progress.Moved)
	gauge(out, toMoveMetric, s.Progress.ToMove)
}

func (m metrics) transport(out chan<- prometheus.Metric) {
	for _, p := range m.node.transport.figures() {
		gauge(out, queueMetric, p.queuedBytes, p.address)
		gauge(out, queuedMetric, p.queued, p.address)
		counter(out, sentMetric, p.sent, p.address)
		counter(out, bodiesMetric, p.bodies, p.address)
		counter(out, droppedMetric, p.dropped, p.address)
	}
	if g := m.node.guard.Load(); g != nil {
		gauge(out, connectionsMetric, g.open.Load())
		counter(out, turnedAwayMetric, g.refused.Load())
	}
}

// maxScrapes bounds the scrapes at a time: each looks at everything.
const maxScrapes = 4

// newMetrics serves the metrics of a node, of its process and of the Go runtime.
func (n *Node) newMetrics() httprouter.Handle {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics{n}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            slog.NewLogLogger(n.logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
	})
	return func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { handler.ServeHTTP(w, r) }
}
