package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// status is what of GET /sequitur/status matters here.
type status struct {
	Shard   string            `json:"shard-id"`
	Have    map[string]uint64 `json:"have"`
	Keys    uint64            `json:"keys"`
	Waiting int               `json:"waiting"`
	Members []struct {
		Address string `json:"address"`
		State   string `json:"state"`
	} `json:"members"`
}

// serves tells whether the node at an address serves a shard.
func (s *status) serves(address string) bool {
	for _, m := range s.Members {
		if m.Address == address && m.State == "serving" {
			return true
		}
	}
	return false
}

func (s *store) status(address string) (told status, err error) {
	code, text, err := s.ask(http.MethodGet, address, "/sequitur/status", "")
	if err == nil && json.Unmarshal(text, &told) != nil {
		err = fmt.Errorf("status of %s: %d %s", address, code, text)
	}
	return told, err
}

// settle waits until the members of each shard have applied the same writes, and tells how long that took.
func (s *store) settle() (time.Duration, error) {
	begin := time.Now()
	for {
		equal, err := s.equal()
		took := time.Since(begin)
		if err != nil || equal {
			return took, err
		}
		if took > 10*maxSettle {
			return took, fmt.Errorf("the replicas are not equal %v after the last write", took)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *store) equal() (bool, error) {
	have := make(map[string]map[string]uint64)
	for _, address := range s.addresses {
		told, err := s.status(address)
		if err != nil {
			return false, err
		}
		if other, known := have[told.Shard]; known && !maps.Equal(other, told.Have) || told.Waiting > 0 {
			return false, nil
		}
		have[told.Shard] = told.Have
	}
	return true, nil
}
