// Package core is a whole node as a pure state machine: forming, serving, replication, catch-up and
// failure detection, without IO, clock, goroutine or ambient randomness. A shell feeds it inputs and
// carries out its outputs; package httpnode does so with real clocks and connections, the simulator
// with simulated ones.
package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sequitur-kv/sequitur/core/causal"
	"github.com/sequitur-kv/sequitur/core/consensus"
	"github.com/sequitur-kv/sequitur/core/forming"
	"github.com/sequitur-kv/sequitur/core/heap"
	"github.com/sequitur-kv/sequitur/core/hlc"
	"github.com/sequitur-kv/sequitur/core/shard"
	"github.com/sequitur-kv/sequitur/core/store"
	"github.com/sequitur-kv/sequitur/core/token"
	"github.com/sequitur-kv/sequitur/core/view"
	"github.com/sequitur-kv/sequitur/core/wire"
)

// Errors of New.
var (
	ErrAddress    = errors.New("core: a node needs an address")
	ErrShardCount = errors.New("core: every shard needs at least two nodes, except that a single node may form one shard")
	ErrRecords    = errors.New("core: the records cannot be used")
	// ErrDamaged is the ErrRecords of records that no machine has made: they would be refused by any node, in any store.
	ErrDamaged = fmt.Errorf("%w, as they are damaged", ErrRecords)
)

// Machine is one node. Make one with New. It is not safe for concurrent use.
type Machine struct {
	config   Config
	random   *rand.ChaCha8
	founder  view.Founder // own address, life and share of the secrets
	boot     uint64       // random number of this boot
	former   *forming.Former
	bornAt   Position            // of the life's record
	restored *view.Configuration // of an earlier boot, until the first Step

	newborn        bool          // the life is not on record yet
	pledgeOnRecord view.Founding // of a boot before this one
	logged         string        // the last obstacle that was logged

	// From the configuration; set once this node belongs to a store, and again with every new one.
	configuration *view.Configuration
	adoptedAt     Position           // log position of the configuration
	self          int                // index in configuration.Members
	own           []*view.Assignment // of this life
	serving       *view.Assignment   // the one it answers and writes under; nil: none
	home          *view.Shard        // that it serves; nil: none
	replica       causal.ReplicaID   // of serving; zero: none
	audience      []sibling          // who gets this node's writes
	sources       []sibling          // who else holds some of the slots held here
	detector      *view.Detector
	growing       shard.Set // slots that this node keeps: held by an assignment that has not closed
	refusal       string
	excluded      bool            // deleted from the view
	excludedFrom  token.ClusterID // of that store
	excludedAt    uint64          // index of its newest configuration that is known to say so
	hailed        uint64          // challenge of the last question to the members
	reached       bool            // a member of the store has been heard of since this boot
	strangers     []stranger

	// The configuration log.
	raft           *consensus.Log // nil until this node belongs to a store
	raftOut        consensus.Output
	committed      *view.Configuration // as of the entries that the log has handed out; the one in force may be newer. Nil: the log has no beginning yet
	compactDue     bool                // the log asked for compaction
	petitions      []*petition
	awaited        bool          // the log waits for something from this life
	nextReport     time.Duration // when it may be reported again
	watched        stalled
	proposer       int           // member that was asked last to propose something
	nextUnseat     time.Duration // when the log may be told again who lost its vote
	copied, toCopy uint64        // keys, by copies that the last reshard made necessary

	// The current input.
	wall    int64
	mono    time.Duration
	durable Position
	noRoom  bool // nothing may be put on record: see Input.Full
	out     *Output

	position  Position // of the state
	dirty     bool     // this Step changed durable state
	clock     hlc.Clock
	store     *store.Store
	written   uint64          // sequence number of the last write as replica
	peers     []peer          // by member
	claimed   causal.Coverage // a state of have that is durable
	pending   causal.Coverage // the next one
	pendingAt Position        // when pending will be durable; zero: there is none
	claimedAt Position        // position of the state that claimed shows
	streams   []stream        // of other replicas, by replica
	repair    *transfer       // the copy of what is missing here and there, nil for none
	full      *transfer       // the copy of everything in slots that are new here, nil for none
	copies    uint64          // number of the last copy, not used by an earlier boot
	based     shard.Set       // slots of which this node has once copied everything, or served

	imports imports

	counter    uint64   // of forwards
	reserved   uint64   // counters up to here may be used without a record,
	reservedAt Position // of the log position that reserved them
	passing    uint64   // counter of the last read that was forwarded without room for a reservation
	seen       []*executed

	calls         map[RequestID]*call // waiting requests of this node's own clients
	outstanding   map[uint64]*call    // by counter of their forward
	timers        heap.Heap[*call]    // every waiting request, by the time of its next step
	parked        []*waitList         // by replica of the missing dot
	ahead         []*call             // that wait for a newer configuration
	parkedLoad    load
	forwardedLoad load

	nextBeat time.Duration
	nextAsk  time.Duration // for a newer configuration
	lastStep time.Duration

	// Working memory.
	current call
	reply   causal.Context
	minted  causal.Context
	scratch []byte
	spare   causal.Vector
	vector  causal.Vector
	expired []int
}

// peer is what is known of another member.
type peer struct {
	epoch    uint64          // of the newest configuration that it is known to have
	handed   time.Duration   // when it may be handed a configuration again
	have     causal.Coverage // the last durable one it told
	lastHave causal.Coverage // the one before
	copied   uint64          // keys, by full copies since the last reshard began
	toCopy   uint64
	full     bool      // its disk is full: it would not take a write
	heard    bool      // it has told what follows
	restores bool      // it has keys from a backup that are not in the store yet
	gave     shard.Set // slots that it gave all it has of, in this epoch
}

// sibling is a member that holds some of the same slots.
type sibling struct {
	member int
	slots  shard.Set // in common
	serves shard.Set // of them, those that it serves
}

// New makes a machine from the records that were durable when the last boot ended (all of them in
// the order in which Step gave them, or just the last one of each key) and their position; without
// records it begins a new life. Errors: ErrAddress, ErrShardCount, ErrRecords or its special case ErrDamaged.
func New(config Config, records []Record, position Position) (*Machine, error) {
	if config.Address == "" {
		return nil, ErrAddress
	}
	config.ask([]string{config.Address})
	if n := config.ShardCount; n < 0 || n > shard.MaxShards || n > 0 && 2*n > len(config.View) && (n > 1 || len(config.View) > 1) {
		return nil, fmt.Errorf("%w: %s over %s", ErrShardCount, counted(n, "shard"), counted(len(config.View), "node"))
	}
	config.setDefaults()
	m := newMachine(config, rand.NewChaCha8(config.Entropy))
	m.position = position
	if err := m.restore(records); err != nil {
		return nil, err
	}
	if m.newborn {
		m.beget()
	}
	return m, nil
}

// newMachine makes a machine without a life.
func newMachine(config Config, random *rand.ChaCha8) *Machine {
	m := &Machine{
		config:      config,
		random:      random,
		store:       store.New(),
		calls:       make(map[RequestID]*call),
		outstanding: make(map[uint64]*call),
		timers:      heap.New(callBefore, callTimer),
	}
	m.founder.Address = config.Address
	m.boot = m.random.Uint64() | 1
	m.copies = m.boot >> 1 // an answer to a pull of an earlier boot must find no copy: what that boot had may be lost
	return m
}

// beget draws the identity of a new life.
func (m *Machine) beget() {
	m.founder.Life = view.LifeID(m.random.Uint64()>>1 | 1) // the greatest two are reserved by the configuration log
	for i := range m.founder.Key {
		m.founder.Key[i] = byte(m.random.Uint64())
	}
}

// ask adds addresses to those that are asked for a store. It sorts View, and changes nobody else's copy of it.
func (c *Config) ask(addresses []string) {
	c.View = slices.Concat(c.View, addresses)
	slices.Sort(c.View)
	c.View = slices.Compact(c.View)
}

func (c *Config) setDefaults() {
	setDefault(&c.HeartbeatInterval, 500*time.Millisecond)
	setDefault(&c.SuspectAfter, 2*time.Second)
	setDefault(&c.DependencyWait, 20*time.Second)
	setDefault(&c.ForwardTimeout, 5*time.Second)
	setDefault(&c.RetryInterval, time.Second)
	setDefault(&c.AdministrationWait, 10*time.Second)
	setDefault(&c.ReshardPatience, 30*time.Second)
	setDefault(&c.MaxWaiting, 10_000)
	setDefault(&c.MaxWaitingBytes, 64<<20)
	setDefault(&c.MaxBuffered, 1024)
	setDefault(&c.MaxBufferedSize, 16<<20)
	setDefault(&c.ChunkBytes, 16<<10)
	setDefault(&c.CopyPause, 15*time.Millisecond)
}

func setDefault[T time.Duration | int](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Step feeds one input. The output is reset first. Nothing of the input but the parts of its message
// and the request's strings and value is kept.
func (m *Machine) Step(input Input, output *Output) {
	output.reset()
	m.out = output
	m.wall, m.mono, m.durable = input.Wall, input.Mono, input.Durable
	m.makeRoom(input.Full)
	if m.newborn && !m.noRoom {
		m.recordLife()
	}
	m.claimDurable()
	m.tick()
	switch input.Kind {
	case InputWake:
	case InputRequest:
		m.request(&input.Request)
	case InputCancel:
		m.cancel(input.Request.ID)
	case InputMessage:
		m.receive(input.Message)
	}
	if m.refusal != "" && m.configuration != nil && !m.noRoom {
		m.startOver(m.configuration)
	}
	m.importSome()
	m.runLog()
	m.lastStep = m.mono
	if m.dirty {
		m.position++
		m.dirty = false
	}
	output.Position = m.position
	output.WakeAt = m.nextWake()
}

// change announces that this Step changes durable state and returns the position at which it will
// be durable. Every change goes through here or through record.
func (m *Machine) change() Position {
	m.dirty = true
	return m.position + 1
}

func (m *Machine) probe(p Probe) { m.out.Probes = append(m.out.Probes, p) }

func (m *Machine) log(format string, args ...any) {
	m.out.Logs = append(m.out.Logs, fmt.Sprintf(format, args...))
}

// alarm is log for what an operator must act upon.
func (m *Machine) alarm(format string, args ...any) {
	m.out.Alarms = append(m.out.Alarms, fmt.Sprintf(format, args...))
}

// receive takes a message of a peer. Messages of other stores, of ended lives and of strangers are
// dropped: the sender is told what it must know by the answer to its next Hello.
func (m *Machine) receive(message *wire.Message) {
	if m.noRoom && m.needsRoom(message.Body) {
		m.overhear(message)
		return
	}
	switch body := message.Body.(type) {
	case *wire.Hello:
		m.answerHello(message.From, body)
		return
	case *wire.Welcome:
		m.welcomed(message, body)
		return
	case *wire.Pledge:
		m.pledged(message, body)
		return
	}
	if m.configuration == nil {
		return // from one that formed a moment earlier
	}
	if handed, ok := message.Body.(*wire.Configuration); ok && message.Cluster == m.configuration.Cluster && message.To == m.founder.Life {
		m.adoptEncoded(handed.Encoded)
		return
	}
	if message.Cluster != m.configuration.Cluster || message.To != m.founder.Life {
		m.probe(ProbeForeignMessage)
		if _, ok := message.Body.(*wire.Reply); ok {
			m.probe(ProbeReplyEarlierLife)
		}
		return
	}
	from := m.configuration.MemberOf(message.From)
	if enter, ok := message.Body.(*wire.Enter); ok {
		m.receiveEnter(message.From, enter)
		return
	}
	if from < 0 || from == m.self {
		m.probe(ProbeForeignMessage)
		if m.configuration.HasEnded(message.From) {
			m.probe(ProbeEndedLife)
		}
		return
	}
	m.heard(from)
	caughtUp := m.compareEpochs(from, message.Epoch)
	m.dispatchMessage(from, message)
	if caughtUp {
		m.askAgain(from)
	}
}

// heard notes that a member gave a sign of life.
func (m *Machine) heard(from int) {
	if !m.reached || len(m.strangers) > 0 {
		m.reach(m.configuration.Members[from].Address)
	}
	if m.detector.Heard(from, m.mono) {
		m.probe(ProbePeerReturned)
		m.log("%s is up again", m.configuration.Members[from].Address)
	}
}

func (m *Machine) dispatchMessage(from int, message *wire.Message) {
	switch body := message.Body.(type) {
	case *wire.Heartbeat:
		m.heartbeat(from, body)
	case *wire.Batch:
		m.receiveBatch(from, body)
	case *wire.Pull:
		m.answerPull(from, message.Epoch, body)
	case *wire.State:
		m.receiveState(from, message.Epoch, body)
	case *wire.Forward:
		m.receiveForward(from, message.Epoch, body)
	case *wire.Reply:
		m.receiveReply(from, message.Epoch, body)
	case *wire.Raft:
		m.receiveRaft(message.From, body)
	case *wire.Propose:
		m.receivePropose(body)
	}
}

// send hands a message for a member to the shell, which holds it until the log is durable up to after.
func (m *Machine) send(member int, after Position, body wire.Body) {
	to := &m.configuration.Members[member]
	m.out.Sends = append(m.out.Sends, Send{To: to.Address, After: max(after, m.adoptedAt), Message: &wire.Message{
		Cluster: m.configuration.Cluster, Epoch: m.configuration.Epoch, From: m.founder.Life, To: to.Life, Body: body,
	}})
}

// sendForming hands a message for a founder to the shell; life is zero where it is not known.
func (m *Machine) sendForming(address string, life view.LifeID, after Position, body wire.Body) {
	m.out.Sends = append(m.out.Sends, Send{To: address, After: after, Message: &wire.Message{From: m.founder.Life, To: life, Body: body}})
}
