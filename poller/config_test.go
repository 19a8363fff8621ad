package poller

import (
	"strings"
	"testing"
	"time"

	"echogate/poller/websocket"
)

func TestDefaultIsValid(t *testing.T) {
	routes, err := websocket.Compile(map[string]websocket.Route{"/echo": {Message: echo}})
	if err != nil {
		t.Fatal(err)
	}
	if config := Default(routes); config.Validate() != nil {
		t.Error(config.Validate())
	}
}

const day = 24 * time.Hour

var validateCases = []struct {
	name string
	edit func(*Config)
	want string // empty: valid
}{
	{"no address", func(c *Config) { c.Listen = nil }, "nothing to listen on"},
	{"inherited alone", func(c *Config) { c.Listen, c.Inherited = nil, []int{3} }, ""},
	{"no routes", func(c *Config) { c.Routes = nil }, "no routes"},
	{"loops by processor", func(c *Config) { c.Loops = 0 }, ""},
	{"loops below", func(c *Config) { c.Loops = -1 }, "loops: -1 is not from 0 to 1024"},
	{"loops above", func(c *Config) { c.Loops = 1025 }, "loops: 1025 is not from 0 to 1024"},
	{"head below", func(c *Config) { c.MaxHead = 255 }, "max head: 255 is not from 256 to 65536 bytes"},
	{"head least", func(c *Config) { c.MaxHead = 256 }, ""},
	{"head most", func(c *Config) { c.MaxHead = 64 << 10 }, ""},
	{"head above", func(c *Config) { c.MaxHead = 64<<10 + 1 }, "max head: 65537 is not"},
	{"jobs", func(c *Config) { c.Jobs = 0 }, "jobs: 0 is not at least 1"},
	{"connections by descriptors", func(c *Config) { c.MaxConnections = 0 }, ""},
	{"connections most", func(c *Config) { c.MaxConnections = descriptors() - reserve }, ""},
	{"connections above", func(c *Config) { c.MaxConnections = descriptors() - reserve + 1 }, "which the descriptor limit allows"},
	{"connections below", func(c *Config) { c.MaxConnections = -1 }, "max connections: -1 is not from 0 to"},
	{"waits off", func(c *Config) { limited(nil)(c) }, ""},
	{"handshake", func(c *Config) { c.HandshakeTimeout = 241 * day }, "handshake timeout: 5784h0m0s is more than 240 days"},
	{"http idle", func(c *Config) { c.HTTPIdle = 241 * day }, "http idle: "},
	{"message", func(c *Config) { c.Limits.MessageTimeout = 241 * day }, "message timeout: "},
	{"stall", func(c *Config) { c.Limits.StallTimeout = 241 * day }, "stall timeout: "},
	{"ping", func(c *Config) { c.Limits.PingInterval = 241 * day }, "ping interval: "},
	{"idle", func(c *Config) { c.Limits.IdleTimeout = 241 * day }, "idle timeout: "},
	{"lifetime", func(c *Config) { c.Limits.MaxLifetime = 241 * day }, "max lifetime: "},
	{"lifetime most", func(c *Config) { c.Limits.MaxLifetime = 240 * day }, ""},
	{"close", func(c *Config) { c.Limits.CloseTimeout = 241 * day }, "close timeout: "},
	{"drain above", func(c *Config) { c.Drain, c.DrainTimeout = 241*day, 0 }, "drain: "},
	{"drain timeout above", func(c *Config) { c.DrainTimeout = 241 * day }, "drain timeout: "},
	{"drain below", func(c *Config) { c.Drain = -1 }, "drain: -1ns or its timeout, 8s, is negative"},
	{"drain timeout below", func(c *Config) { c.DrainTimeout = -1 }, "drain: 0s or its timeout, -1ns, is negative"},
	{"drain longer than its timeout", func(c *Config) { c.Drain, c.DrainTimeout = 2, 1 }, "drain timeout: 1ns is less than drain, 2ns"},
	{"drain waited for", func(c *Config) { c.Drain, c.DrainTimeout = time.Minute, 0 }, ""},
	{"socket buffer off", func(c *Config) { c.SocketBuffer = 0 }, ""},
	{"socket buffer least", func(c *Config) { c.SocketBuffer = 4 << 10 }, ""},
	{"socket buffer below", func(c *Config) { c.SocketBuffer = 4<<10 - 1 }, "socket buffer: 4095 is neither 0 nor from 4 KiB to 1 GiB"},
	{"socket buffer above", func(c *Config) { c.SocketBuffer = 1<<30 + 1 }, "socket buffer: 1073741825 is"},
	{"buffers unbounded", func(c *Config) { c.MaxBuffered = 0 }, ""},
	{"buffers below", func(c *Config) { c.MaxBuffered = -1 }, "max buffered: -1 is negative"},
}

func TestValidate(t *testing.T) {
	for _, tt := range validateCases {
		config := quiet(t)
		tt.edit(&config)
		err := config.Validate()
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestValidateTellsAll, so that nobody mends a configuration one error a time.
func TestValidateTellsAll(t *testing.T) {
	err := new(Config).Validate()
	if err == nil {
		t.Fatal("the zero Config is valid")
	}
	if n := strings.Count(err.Error(), "poller: "); n != 4 {
		t.Errorf("%d errors, want 4:\n%v", n, err)
	}
}

// TestNewRefuses: New opens nothing for a configuration that is wrong.
func TestNewRefuses(t *testing.T) {
	if s, err := New(Config{}); err == nil || s != nil {
		t.Errorf("%v, %v", s, err)
	}
	config := quiet(t)
	config.Listen = []string{"127.0.0.1:0", "nowhere"}
	if s, err := New(config); err == nil || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

func TestUserTimeout(t *testing.T) {
	for _, tt := range []struct{ stall, idle, want time.Duration }{
		{30 * time.Second, 120 * time.Second, 120 * time.Second},
		{10 * time.Minute, 120 * time.Second, 10 * time.Minute},
		{-1, 120 * time.Second, 0}, // off: the kernel must not end what we keep
		{30 * time.Second, -1, 0},
	} {
		c := Config{Limits: websocket.Limits{StallTimeout: tt.stall, IdleTimeout: tt.idle}}
		if got := c.userTimeout(); got != tt.want {
			t.Errorf("stall %s, idle %s: %s, want %s", tt.stall, tt.idle, got, tt.want)
		}
	}
}
