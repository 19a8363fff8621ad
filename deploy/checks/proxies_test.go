package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The configurations are run as they are shipped, but for addresses, limits that
// this machine need not have, and times: what takes two minutes there takes
// silence here.
const (
	shipped = "130s"
	silence = 3 * time.Second
)

// many is how many connections go through each proxy.
const many = 1000

// A proxy is one of those that stand in front of the gateway.
type proxy struct {
	name     string
	file     string
	prefaced bool          // sends the PROXY protocol
	ends     time.Duration // silence after which it ends a connection; 0: never
	command  func(t *testing.T, s *server, addr, dir string) *exec.Cmd
}

var proxies = []proxy{
	{"nginx", "../proxies/nginx.conf", false, silence, nginx},
	{"haproxy", "../proxies/haproxy.cfg", true, silence, haproxy},
	{"caddy", "../proxies/Caddyfile", false, 0, caddy},
}

func nginx(t *testing.T, s *server, addr, dir string) *exec.Cmd {
	text := readFile(t, "../proxies/nginx.conf")
	text = replaced(t, text, "gateway:9998", s.addrs[0])
	text = replaced(t, text, "listen 8080", "listen "+addr)
	text = replaced(t, text, "timeout "+shipped, "timeout "+seconds(silence))
	text = replaced(t, text, "worker_rlimit_nofile 262144", "worker_rlimit_nofile 8192")
	text = replaced(t, text, "worker_connections 131072", "worker_connections 4096")
	// Where nobody but root may write otherwise.
	temp := "access_log off;"
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf(" %s_temp_path %s;", name, filepath.Join(dir, name))
	}
	text = replaced(t, text, "access_log off;", temp)
	file := write(t, dir, "nginx.conf", text)
	return exec.Command(tool(t, "nginx"), "-p", dir, "-e", "stderr", "-c", file,
		"-g", "daemon off; pid "+filepath.Join(dir, "pid")+";")
}

func haproxy(t *testing.T, s *server, addr, dir string) *exec.Cmd {
	text := readFile(t, "../proxies/haproxy.cfg")
	text = replaced(t, text, "gateway:9997", s.addrs[1])
	text = replaced(t, text, "port 9999", "port "+port(t, s.admin))
	text = replaced(t, text, "bind :8080", "bind "+addr)
	text = replaced(t, text, "timeout tunnel "+shipped, "timeout tunnel "+seconds(silence))
	text = replaced(t, text, "maxconn 100000", "maxconn 4000")
	return exec.Command(tool(t, "haproxy"), "-db", "-f", write(t, dir, "haproxy.cfg", text))
}

func caddy(t *testing.T, s *server, addr, dir string) *exec.Cmd {
	text := readFile(t, "../proxies/Caddyfile")
	text = replaced(t, text, "gateway:9998", s.addrs[0])
	text = replaced(t, text, "health_port 9999", "health_port "+port(t, s.admin))
	text = replaced(t, text, ":8080", ":"+port(t, addr))
	cmd := exec.Command(tool(t, "caddy"), "run", "--adapter", "caddyfile", "--config", write(t, dir, "Caddyfile", text))
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return cmd
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }

// behind starts a gateway and the proxy in front of it.
func (p *proxy) behind(t *testing.T, args ...string) (s *server, addr string) {
	t.Helper()
	s = serve(t, append([]string{
		"--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0?proxy=required", "--trusted-proxies", "127.0.0.1/32",
	}, args...)...)
	addr = freeAddr(t)
	spawn(t, p.command(t, s, addr, t.TempDir()))
	eventually(t, p.name+" passes an upgrade on", func() bool {
		c, err := connect(direct, addr)
		if err != nil {
			return false
		}
		defer c.Close()
		return c.echo("through") == nil
	})
	return s, addr
}

func eachProxy(t *testing.T, f func(t *testing.T, p *proxy)) {
	for i := range proxies {
		t.Run(proxies[i].name, func(t *testing.T) { f(t, &proxies[i]) })
	}
}

// TestProxyKeepsPinged: connections that say nothing for more than twice the
// proxy's patience stay, because the gateway pings them in time.
func TestProxyKeepsPinged(t *testing.T) {
	eachProxy(t, func(t *testing.T, p *proxy) {
		_, addr := p.behind(t, "--ping-interval", "1s", "--idle-timeout", "20s")
		all := connectAll(t, direct, addr, many)
		each(t, all, func(c *client) error { return c.silent(5 * silence / 2) })
	})
}

// silent reads for d, which answers pings, and then sees that the connection
// still echoes.
func (c *client) silent(d time.Duration) error {
	const text = "still here"
	said := time.AfterFunc(d, func() { _ = c.send(ws.OpText, []byte(text)) })
	defer said.Stop()
	begin := time.Now()
	_, got, err := c.next()
	if err != nil {
		return fmt.Errorf("after %v: %w", time.Since(begin).Round(time.Millisecond), err)
	}
	if string(got) != text {
		return fmt.Errorf("got %q, want %q", got, text)
	}
	return nil
}

// TestProxyEndsSilent: without pings the proxy ends what is silent, after the
// time that its configuration says: the pings are what keeps them.
func TestProxyEndsSilent(t *testing.T) {
	eachProxy(t, func(t *testing.T, p *proxy) {
		_, addr := p.behind(t, "--ping-interval", "0", "--idle-timeout", "0")
		all := connectAll(t, direct, addr, many)
		if p.ends == 0 {
			each(t, all, func(c *client) error { return c.silent(5 * silence / 2) })
			return
		}
		begin := time.Now()
		each(t, all, func(c *client) error {
			h, _, err := c.next()
			if err == nil {
				return fmt.Errorf("got opcode %d, want the end of the connection", h.OpCode)
			}
			if took := time.Since(begin); errors.Is(err, os.ErrDeadlineExceeded) || took > 5*p.ends {
				return fmt.Errorf("ended after %v (%w), want %v", took, err, p.ends)
			}
			return nil
		})
		t.Logf("%d connections ended by %s within %v of silence, %v configured", many, p.name, time.Since(begin).Round(time.Millisecond), p.ends)
	})
}

// TestProxyAddress: the access log has the client's own address, and not what the
// client says of itself.
func TestProxyAddress(t *testing.T) {
	eachProxy(t, func(t *testing.T, p *proxy) {
		s, addr := p.behind(t, "--access-log")
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 77)}}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c, _, _, err := ws.Dialer{
			NetDial: from.DialContext,
			Header:  ws.HandshakeHeaderString("X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n"),
		}.Dial(ctx, "ws://"+addr+"/echo")
		if err != nil {
			t.Fatal(err)
		}
		own := c.LocalAddr().String()
		c.Close()
		var seen []string
		eventually(t, "the access log has the client's address", func() bool {
			seen = seen[:0]
			for _, line := range s.entries("connection ended") {
				remote, _ := line["addr"].(string)
				seen = append(seen, remote)
				if p.prefaced && remote == own || !p.prefaced && strings.HasPrefix(remote, "127.0.0.77") {
					return true
				}
			}
			return false
		})
		for _, remote := range seen {
			if strings.Contains(remote, "203.0.113.9") {
				t.Errorf("%s: a client's word was taken for its address", remote)
			}
		}
	})
}

// TestProxyPatience: as they are shipped, the proxies wait longer than the
// gateway needs to ping, its jitter of 10 % included.
func TestProxyPatience(t *testing.T) {
	want, err := time.ParseDuration(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if ping := duration(t, "--ping-interval"); want <= ping+ping/10 {
		t.Errorf("the proxies wait %v, the gateway pings after %v", want, ping)
	}
	if idle := duration(t, "--idle-timeout"); want <= idle {
		t.Errorf("the proxies wait %v, the gateway gives up after %v: that is its decision", want, idle)
	}
}
