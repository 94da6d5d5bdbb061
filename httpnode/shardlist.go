package httpnode

import "github.com/sequitur-kv/sequitur/core/view"

// Shard is a shard and who is assigned to it.
type Shard struct {
	ID      string
	Members []string // addresses, sorted
}

// Shards lists the shards in the order of their ids; nil until the store has formed.
func (n *Node) Shards() []Shard {
	var configuration *view.Configuration
	n.engine.inspect(func(m machine) { configuration = m.Configuration() })
	if configuration == nil {
		return nil
	}
	shards := make([]Shard, len(configuration.Shards))
	for i := range shards {
		shards[i].ID = configuration.Shards[i].ID.String()
		for _, member := range configuration.Shards[i].Members {
			shards[i].Members = append(shards[i].Members, configuration.Members[member].Address)
		}
	}
	return shards
}
