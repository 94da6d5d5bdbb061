// Package consensus may use what the rest of the core may not.
package consensus

import (
	_ "go.etcd.io/raft/v3"
	_ "go.etcd.io/raft/v3/raftpb"
	_ "google.golang.org/protobuf/proto"
)
