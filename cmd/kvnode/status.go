package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/httpnode"
)

// statusTimeout is how long each node may take to answer.
const statusTimeout = 2 * time.Second

var errStatus = errors.New("not every node serves")

func newStatusCommand(env environment) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status [ADDRESS]",
		Short: "Show the nodes of a store; exit with 1 if one does not serve",
		Long: `status asks the node at ADDRESS who belongs to the store, asks each of these nodes for its figures, and prints a
table. Without ADDRESS it asks the node that the environment describes, on this machine. It exits with 1
when a node is down, does not answer, or does not serve.

Columns: "keys" are those that the node holds; "replicas behind" is the number of other nodes that have not yet
confirmed all that was written at this one (0 at rest; a node that is down counts until it is back or deleted);
"waiting" are requests that wait there, for what they depend on or for another node.`,
		Args: atMostOneAddress,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := healthAddress(source{cmd, env.getenv}, args)
			if err != nil {
				return err
			}
			report, err := askStore(cmd.Context(), address)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(env.stdout, report)
			} else {
				err = printStatus(env.stdout, report, colours(env))
			}
			if err == nil && !report.Serving {
				err = errStatus
			}
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// storeStatus is a store as one node knows it, with the figures of the others.
type storeStatus struct {
	Serving  bool         `json:"serving"`  // all of it
	Obstacle string       `json:"obstacle"` // why the node that was asked does not serve
	Cluster  string       `json:"cluster"`
	Epoch    uint64       `json:"epoch"`
	Shards   int          `json:"shard-count"`
	Volatile bool         `json:"in-memory"`
	Leader   string       `json:"leader"` // address, "" for nobody known
	Voters   int          `json:"voters"`
	Nodes    []nodeStatus `json:"nodes"` // by shard, those without one last; then by address

	Reshard httpnode.ReshardStatus `json:"reshard"`
}

// nodeStatus is one member.
type nodeStatus struct {
	Address string           `json:"address"`
	Shard   string           `json:"shard-id"`
	State   string           `json:"state"`          // in the configuration of the node that was asked
	Up      bool             `json:"up"`             // in the view of the node that was asked
	Silent  uint64           `json:"silent-seconds"` // there
	Missing uint64           `json:"missing"`        // writes that others wait for it to confirm, at most
	Error   string           `json:"error,omitempty"`
	Status  *httpnode.Status `json:"status"` // what it says itself; null: no answer
}

// serves tells whether a client can use the node.
func (n *nodeStatus) serves() bool { return n.Up && n.Status != nil && n.Status.Serving }

// askStore asks the node at an address, and every member it names.
func askStore(ctx context.Context, address string) (*storeStatus, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without the proxy of the environment
	first, err := askNode(ctx, client, address)
	if err != nil {
		return nil, err
	}
	report := &storeStatus{
		Serving: first.Serving, Obstacle: first.Obstacle, Cluster: first.Cluster, Epoch: first.Epoch,
		Shards: first.Shards, Volatile: first.Volatile, Leader: first.Leader, Voters: first.Voters, Reshard: first.Reshard,
		Nodes: make([]nodeStatus, len(first.Members)),
	}
	var asking sync.WaitGroup
	for i, member := range first.Members {
		node := &report.Nodes[i]
		*node = nodeStatus{Address: member.Address, Shard: member.Shard, State: member.State, Up: member.Up, Silent: member.Silent}
		if member.Address == first.Address {
			node.Status = first
			continue
		}
		asking.Go(func() {
			var err error
			if node.Status, err = askNode(ctx, client, node.Address); err != nil {
				node.Error = sentence(err)
			}
		})
	}
	asking.Wait()
	report.complete()
	return report, nil
}

// complete derives what the figures of several nodes say together. The nodes need not agree on who is a
// member.
func (s *storeStatus) complete() {
	missing := make(map[string]uint64)
	for i := range s.Nodes {
		if status := s.Nodes[i].Status; status != nil {
			for _, member := range status.Members {
				missing[member.Address] = max(missing[member.Address], member.Unconfirmed)
			}
		}
	}
	for i := range s.Nodes {
		node := &s.Nodes[i]
		node.Missing = missing[node.Address]
		s.Serving = s.Serving && node.serves()
	}
	slices.SortStableFunc(s.Nodes, func(a, b nodeStatus) int { return cmp.Compare(a.place(), b.place()) })
}

// place orders nodes by their shards.
func (n *nodeStatus) place() uint64 {
	id, err := strconv.ParseUint(n.Shard, 10, 32)
	if err != nil {
		return math.MaxUint64 // it has none
	}
	return id
}

func askNode(ctx context.Context, client *http.Client, address string) (*httpnode.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/sequitur/status", nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %s", address, networkReason(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s breaks off its answer: %s", address, networkReason(err))
	}
	status := new(httpnode.Status)
	if response.StatusCode != http.StatusOK || json.Unmarshal(text, status) != nil || status.Address == "" {
		return nil, fmt.Errorf("%s answers with HTTP status %d and no status, so it is no node of this version", address, response.StatusCode)
	}
	return status, nil
}

// networkReason says in words why a node is not reached.
func networkReason(err error) string {
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused, so nothing listens there"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("nothing came within %d s", statusTimeout/time.Second)
	case errors.As(err, &name):
		return "no machine is known by the name " + name.Name
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no way leads to that machine"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "it closed the connection"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause // the address and the URL are said already
	}
	return err.Error()
}

func printJSON(w io.Writer, report any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}
