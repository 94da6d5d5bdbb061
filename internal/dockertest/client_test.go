//go:build docker

package dockertest

import (
	"context"
	"net/http"

	"github.com/sequitur-kv/sequitur/internal/apitest"
)

// newClient makes a client that keeps no connection: one would outlive the
// network that it went through.
func newClient(ctx context.Context) apitest.Client {
	return apitest.NewClient(ctx, &http.Transport{DisableKeepAlives: true})
}
