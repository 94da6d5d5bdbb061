package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/sequitur-kv/sequitur/httpnode"
)

// healthTimeout is how long a health check waits for its answer.
const healthTimeout = 2 * time.Second

func newHealthcheckCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck [ADDRESS]",
		Short: "Exit with 0 if a node answers, else with 1",
		Long: `healthcheck asks the node at ADDRESS whether it serves HTTP. Without ADDRESS it asks the node that the
environment describes, on this machine: that is what a container runs as its health check.`,
		Args: atMostOneAddress,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := healthAddress(source{cmd, env.getenv}, args)
			if err != nil {
				return err
			}
			return checkHealth(cmd.Context(), address)
		},
	}
}

func atMostOneAddress(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%s takes one address, not %d", cmd.Name(), len(args))
	}
	return nil
}

// healthAddress is where to ask: the argument, or where the node of this environment listens.
func healthAddress(s source, args []string) (string, error) {
	if len(args) == 1 {
		if err := httpnode.CheckAddress(args[0]); err != nil {
			return "", usageError{fmt.Errorf("%w; got %q", err, args[0])}
		}
		return args[0], nil
	}
	listen, _ := s.text(listenAddress)
	if listen == "" {
		own, _ := s.text(socketAddress)
		if own == "" {
			own = defaultAddress
		}
		listen = httpnode.DefaultListenAddress(own)
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", usagef("%q is no address to listen on; host:port is expected", listen)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

func checkHealth(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without the proxy of the environment
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %s", address, networkReason(err))
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<10)); err != nil {
		return fmt.Errorf("no whole answer from %s: %w", address, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with HTTP status %d", address, response.StatusCode)
	}
	return nil
}
