package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// healthTime bounds the whole question: an orchestrator asks again anyway.
	healthTime = 5 * time.Second
	// healthBytes is more than the answer's first line.
	healthBytes = 4 << 10
)

// healthcheck asks a running gateway for its health, writes one line of what
// came of it and returns the exit code: 0 or 1, for Docker reserves the others.
// It is what a container, which has no curl, checks itself with.
func healthcheck(target string, out, errOut io.Writer) int {
	network, address, path, err := healthTarget(target)
	ctx, cancel := context.WithTimeout(context.Background(), healthTime)
	defer cancel()
	if err == nil {
		err = askHealth(ctx, network, address, path)
	}
	if err != nil {
		return unhealthy(err, errOut)
	}
	fmt.Fprintln(out, "healthy")
	return exitOK
}

func unhealthy(err error, errOut io.Writer) int {
	fmt.Fprintf(errOut, "unhealthy: %v\n", err)
	return exitFailed
}

// healthTarget is where to ask: an address, or a URL whose path, if it has one,
// is asked for instead of /healthz.
func healthTarget(target string) (network, address, path string, err error) {
	if target == adminOff {
		return "", "", "", errors.New("the admin port is off: there is nobody to ask")
	}
	if a, err := adminAddress(target); err == nil && a.Unix != "" {
		return "unix", a.Unix, "/healthz", nil
	}
	address, path = target, "/healthz"
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "http" || u.Host == "" {
			return "", "", "", fmt.Errorf("%q is no URL to ask: accepted are http://host:port and http://host:port/path", target)
		}
		address = u.Host
		if u.Path != "" && u.Path != "/" {
			path = u.EscapedPath()
		}
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" || port == "0" {
		return "", "", "", fmt.Errorf("%q is no address to ask: accepted are host:port, with a port that is no 0, and unix:/path", target)
	}
	return "tcp", address, path, nil
}

// askHealth asks for a path; anything but 200 is an error, with the first line
// of its reason. It goes to the address and nowhere else: no proxy, no redirect.
func askHealth(ctx context.Context, network, address, path string) error {
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// An address that stands for all of the machine's is dialled there.
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	w, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", address, errors.Unwrap(err))
	}
	defer w.Body.Close()
	body, err := io.ReadAll(io.LimitReader(w.Body, healthBytes))
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if w.StatusCode != http.StatusOK {
		reason, _, _ := strings.Cut(string(body), "\n")
		return fmt.Errorf("%s: %s: %q", address, w.Status, reason)
	}
	return nil
}
