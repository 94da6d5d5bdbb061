package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/core"
	"github.com/sequitur-kv/sequitur/httpnode"
)

// setting is a flag with the environment variable that stands in for it.
type setting struct{ flag, variable, usage string }

var (
	socketAddress = setting{"socket-address", "SOCKET_ADDRESS", "own host:port as peers reach it"}
	listenAddress = setting{"listen-address", "LISTEN_ADDRESS", "where to listen (default every interface; for 127.x.y.z exactly that)"}
	viewSetting   = setting{"view", "VIEW", "comma-separated addresses of the first members, own included; for a new node, of members (default just this node)"}
	shardCount    = setting{"shard-count", "SHARD_COUNT", "number of shards to begin with (default: join an existing store without a shard; if there is none, one)"}
	dataDir       = setting{"data-dir", "DATA_DIR", "directory of what the node must not lose, its own (default sequitur-data/HOST-PORT)"}
	inMemory      = setting{"in-memory", "IN_MEMORY", "keep nothing on disk: a restart is a loss of memory, after which the node copies from others"}
	replace       = setting{"replace-corrupt", "REPLACE_CORRUPT", "set damaged data aside, within the data directory, and return without memory"}
	minFree       = setting{"min-free", "MIN_FREE", "free bytes of the disk below which the node reads only (default 256 MiB, or 5 % of the disk if that is less)"}
	maxKeyLength  = setting{"max-key-length", "MAX_KEY_LENGTH", "longest key in bytes, after URL-decoding (default 1024)"}
	maxValueSize  = setting{"max-value-size", "MAX_VALUE_SIZE", "largest value in bytes of JSON text (default 1 MiB)"}
	logFormat     = setting{"log-format", "LOG_FORMAT", "text or json (default text on a terminal, else json)"}
	debugAddress  = setting{"debug-address", "DEBUG_ADDRESS", "serve profiles (pprof) on this address, host:port (default off; keep it on 127.0.0.1)"}
	logLevel      = setting{"log-level", "LOG_LEVEL", "debug, info, warn or error (default info; warn with --local)"}

	allSettings = []setting{
		socketAddress, listenAddress, viewSetting, shardCount, dataDir, inMemory, replace, minFree, maxKeyLength, maxValueSize, logFormat, logLevel,
		debugAddress,
	}
)

// defaultAddress is that of a node that was started without any setting.
const defaultAddress = "localhost:8085"

// source finds the value of settings: a flag beats a variable. Quotes around a value, as
// some container tools leave them, are dropped.
type source struct {
	cmd    *cobra.Command
	getenv func(string) string
}

// text returns the value, "" when neither is given, and the name under which it was given.
func (s source) text(of setting) (value, name string) {
	if flag := s.cmd.Flags().Lookup(of.flag); flag != nil && flag.Changed {
		return unquote(flag.Value.String()), "--" + of.flag
	}
	return unquote(s.getenv(of.variable)), of.variable
}

func unquote(text string) string {
	text = strings.TrimSpace(text)
	for _, quote := range []string{`"`, `'`} {
		if len(text) >= 2 && strings.HasPrefix(text, quote) && strings.HasSuffix(text, quote) {
			return strings.TrimSpace(text[1 : len(text)-1])
		}
	}
	return text
}

// number returns a whole number of at least 1, or 0 when it is not given.
func (s source) number(of setting) (int, error) {
	n, err := s.atMost(math.MaxInt, of)
	return int(n), err
}

// atMost is number for what may be more than an int holds.
func (s source) atMost(most uint64, of setting) (uint64, error) {
	text, name := s.text(of)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, usagef("%s is %q; a whole number from 1 is expected", name, text)
	}
	return n, nil
}

// yes reads a setting that is true or false; false when it is not given.
func (s source) yes(of setting) (bool, error) {
	text, name := s.text(of)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, usagef("%s is %q; true or false is expected", name, text)
	}
	return value, nil
}

// node reads what a node is started with; lonely tells that it got no address and is on its own.
func (s source) node() (config httpnode.Config, lonely bool, err error) {
	config.Machine.Address, _ = s.text(socketAddress)
	view, _ := s.text(viewSetting)
	for address := range strings.SplitSeq(view, ",") {
		if address = strings.TrimSpace(address); address != "" && !slices.Contains(config.Machine.View, address) {
			config.Machine.View = append(config.Machine.View, address)
		}
	}
	if config.Machine.Address == "" {
		if len(config.Machine.View) > 0 {
			return config, false, usagef("VIEW is given without SOCKET_ADDRESS; say which of the addresses is this node")
		}
		config.Machine.Address, lonely = defaultAddress, true
	}
	config.ListenAddress, _ = s.text(listenAddress)
	if err := s.shared(&config); err != nil {
		return config, false, err
	}
	if err := config.Check(); err != nil {
		return config, false, usageError{err}
	}
	return config, lonely, nil
}

// shared reads what is common to all nodes of a store.
func (s source) shared(config *httpnode.Config) (err error) {
	if config.Machine.ShardCount, err = s.number(shardCount); err != nil {
		return err
	}
	if config.MaxKeyLength, err = s.number(maxKeyLength); err != nil {
		return err
	}
	config.MaxValueSize, err = s.number(maxValueSize)
	return err
}

// localConfig is the configuration of one of the nodes at addresses.
func localConfig(shared httpnode.Config, addresses []string, i int) httpnode.Config {
	config := shared
	config.Machine = core.Config{Address: addresses[i], View: addresses, ShardCount: shared.Machine.ShardCount}
	return config
}

func localAddress(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
