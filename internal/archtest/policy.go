//go:build !js && !wasip1

// Package archtest guards the architecture: who may import whom, and what the
// deterministic packages may not contain. Its test runs inside go test ./...
//
// policy.go is the law, as data. The other files only apply it:
// load.go reads a tree, imports.go judges imports, purity.go judges code.
//
// It has a build constraint because it runs the go command, which WebAssembly
// cannot.
package archtest

// A row is the law for the packages that its pattern matches. The first row
// of the table that matches a package decides alone.
//
// Patterns are those of the go command: "x/..." is x and all below it. One
// that starts with "./" is relative to the root of the module, any other names
// a third-party module or, in never, a standard package.
type row struct {
	packages string

	// pure forbids everything that makes two runs with the same input differ,
	// and limits the standard library to pureStd and std.
	pure bool

	// std extends pureStd in a pure row. Other rows use all of the standard
	// library.
	std []string

	// allow lists all other direct imports, except wins over it.
	allow, except []string

	// testAllow extends allow in test files, like testLibraries.
	testAllow []string

	// never lists what the package may not even reach through others.
	never []string
}

const (
	xxhash    = "github.com/cespare/xxhash/v2"
	siphash   = "github.com/dchest/siphash"
	porcupine = "github.com/anishathalye/porcupine"
	router    = "github.com/julienschmidt/httprouter"
	metrics   = "github.com/prometheus/client_golang/prometheus/..."
	pebble    = "github.com/cockroachdb/pebble/..."
	raft      = "go.etcd.io/raft/v3/..."
	protobuf  = "google.golang.org/protobuf/proto"
)

var (
	// terminal is what a command may use to talk to a person.
	terminal = []string{
		"github.com/spf13/cobra",
		"github.com/vbauerster/mpb/v8/...",
		"github.com/fatih/color",
		"golang.org/x/term",
	}

	testLibraries = []string{
		"pgregory.net/rapid",
		"github.com/cockroachdb/datadriven",
		"github.com/google/go-cmp/cmp/...",
		porcupine,
		"go.uber.org/goleak",
	}

	// portable is out of reach for everything that also runs as WebAssembly.
	portable = []string{"./httpnode/...", "net/http", metrics, pebble}
)

var table = []row{
	{
		packages: "./core", pure: true,
		allow: []string{"./core/...", xxhash, siphash},
		never: portable,
	},
	{
		// It makes the library pure: see its package comment.
		packages: "./core/consensus", pure: true,
		allow: []string{"./core/codec", raft, protobuf},
		never: portable,
	},
	{
		packages: "./core/...", pure: true,
		allow: []string{"./core/...", xxhash, siphash}, except: []string{"./core"},
		never: portable,
	},
	{
		packages: "./netsim/netsimtest/...",
		allow:    []string{"./netsim"},
		never:    portable,
	},
	{
		packages: "./netsim/example/...", pure: true, std: []string{"flag", "testing"},
		allow: []string{"./netsim", "./netsim/netsimtest/..."},
		never: portable,
	},
	{
		packages: "./netsim/explore", pure: true,
		allow: []string{"./netsim"},
		never: portable,
	},
	{
		// A panic becomes a finding that shows its stack; no digest covers that.
		packages: "./netsim/...", pure: true, std: []string{"runtime/debug"},
		allow:     []string{xxhash},
		testAllow: []string{"./netsim/..."},
		never:     portable,
	},
	{
		packages: "./checker/...", pure: true,
		never: portable,
	},
	{
		packages:  "./internal/kvsim/...",
		allow:     []string{"./core/...", "./netsim", "./netsim/explore", "./checker", "./internal/kvsim/...", porcupine},
		testAllow: []string{"./netsim/netsimtest/..."},
		never:     portable,
	},
	{
		packages: "./cmd/simulate/...",
		allow:    append([]string{"./internal/kvsim/...", "./core/...", "./netsim", "./netsim/explore", "./checker", "./cmd/simulate/..."}, terminal...),
		never:    portable,
	},
	{
		packages: "./httpnode",
		allow:    []string{"./core/...", "./httpnode/backup", router, metrics},
		// Its tests cut the power of nodes.
		testAllow: []string{"./httpnode/disk", pebble, "./internal/apitest"},
	},
	{
		packages:  "./httpnode/backup",
		allow:     []string{"./core", "./core/codec", xxhash},
		testAllow: []string{"./core/hlc"},
	},
	{
		packages: "./httpnode/disk",
		allow:    []string{"./core", pebble, xxhash},
	},
	{
		packages:  "./cmd/kvnode/...",
		allow:     append([]string{"./httpnode/...", "./core/...", "./cmd/kvnode/..."}, terminal...),
		testAllow: []string{"./internal/apitest"},
	},
	{
		// It measures programs, not packages.
		packages: "./internal/loadtest",
		allow:    []string{router},
	},
	{packages: "./internal/apitest"},
	{packages: "./internal/dockertest", testAllow: []string{"./internal/apitest"}},
	{packages: "./internal/archtest"},
}

// pureStd is the part of the standard library whose results depend on nothing
// but the arguments. What purity.go forbids within a package stays forbidden.
var pureStd = []string{
	"bufio", "bytes", "cmp", "container/heap", "container/list",
	"crypto/hmac", "crypto/sha256", "crypto/subtle",
	"encoding", "encoding/base64", "encoding/binary", "encoding/hex",
	"errors", "fmt", "hash", "hash/crc32", "hash/fnv", "io", "iter", "maps",
	"math", "math/bits", "math/rand/v2", "slices", "sort", "strconv",
	"strings", "text/tabwriter", "time", "unicode", "unicode/utf8",
}

// pureTestNever may not be imported by the tests of a pure package: they run
// as WebAssembly too.
var pureTestNever = []string{"net/...", "os/exec/...", "os/signal", "plugin", "syscall"}

// A vocabulary says which package-level names of an imported package pure code
// may not use, and why.
type vocabulary struct {
	rule   string
	except bool // names lists what is allowed; all else is forbidden
	names  []string
	why    string
}

var vocabularies = map[string]vocabulary{
	"time": {
		rule: "clock", except: true,
		names: []string{"Duration", "ParseDuration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"},
		why:   "time enters as data; only time.Duration and its constants are pure",
	},
	"math/rand/v2": {
		rule: "rand", except: true,
		names: []string{"New", "NewPCG", "NewChaCha8", "Rand", "PCG", "ChaCha8", "Source"},
		why:   "the global generator is seeded by the runtime; derive a seeded one",
	},
	"maps": {
		rule:  "maprange",
		names: []string{"All", "Keys", "Values", "DeleteFunc", "EqualFunc"},
		why:   "it visits a map in random order; keep a sorted slice beside the map",
	},
	"iter": {
		rule:  "go",
		names: []string{"Pull", "Pull2"},
		why:   "it starts a coroutine",
	},
	"runtime/debug": {
		rule: "runtime", except: true,
		names: []string{"Stack"},
		why:   "pure code does not steer the runtime; only the stack of a panic may be shown",
	},
	"fmt": {
		rule:  "io",
		names: []string{"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
		why:   "it uses the standard streams; take a writer from the caller",
	},
}
