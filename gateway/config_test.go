package main

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"echogate/poller/websocket"
)

// TestConfigErrors compares the whole text of every error of a value.
func TestConfigErrors(t *testing.T) {
	bad := func(want string, args ...string) {
		t.Helper()
		_, _, err := parse(args, lookup(nil), io.Discard)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", args, err, want)
		}
	}
	const size = " is not a size: accepted are bytes as 65536, 64KiB, 1MiB, 1GiB, 64KB, 1MB, 1GB"
	bad(`--max-message: "big"`+size, "--max-message", "big")
	bad(`--max-head: "-1"`+size, "--max-head=-1")
	bad(`--loops: "two" is not a number: accepted are whole numbers as 65536`, "--loops", "two")
	bad(`--idle-timeout: "120" is not a duration: accepted are numbers with a unit as 500ms, 10s, 1h30m`, "--idle-timeout=120")
	bad(`--log-level: "loud" is not a log level: accepted are debug, info, warn, error`, "--log-level=loud")
	bad(`--log-format: "xml" is not a log format: accepted are auto, text, json`, "--log-format=xml")

	const forms = "accepted are host:port, :port, [::1]:port, unix:/path and unix:@name"
	bad(`--listen: no address: `+forms, "--listen=")
	bad(`--listen: "9998": want host:port: `+forms, "--listen=9998")
	bad(`--listen: "::1": want host:port: `+forms, "--listen=::1")
	bad(`--listen: ":http": port must be a number from 0 to 65535`, "--listen=:http")
	bad(`--listen: ":65536": port must be a number from 0 to 65535`, "--listen=:1", "--listen=:65536")
	bad(`--listen: ":1?proxy=maybe": option proxy=maybe: accepted is required`, "--listen=:1?proxy=maybe")
	bad(`--listen: "localhost:1" is there twice: accepted is each address once`, "--listen=127.0.0.1:1", "--listen=localhost:1")
	bad(`--listen: ":1" is there twice: accepted is each address once`, "--listen=:1,:2", "--listen=:1")
	bad(`--port: 65536 is not a port: accepted are 0 to 65535`, "-p", "65536")
	bad(`--port: -1 is not a port: accepted are 0 to 65535`, "--port=-1")
	bad(`--port and --listen: accepted is one of them`, "-p", "1", "--listen=:2")

	const form = " is not an origin: accepted are scheme://host, scheme://host:port and null"
	bad(`--origin: "example.com"`+form, "--origin", "example.com")
	bad(`--origin: "https://example.com/"`+form, "--origin", "https://null,https://example.com/")
	bad(`--origin: "*"`+form, "--origin=*")
	bad(`--origin: "https://user@example.com"`+form, "--origin=https://user@example.com")

	const network = " is no network: accepted are 10.0.0.0/8, 2001:db8::/32, single addresses and unix"
	bad(`--trusted-proxies: "all"`+network, "--trusted-proxies=all")
	bad(`--trusted-proxies: "10.0.0.0/33"`+network, "--trusted-proxies=::1,10.0.0.0/33")
	bad(`--trusted-proxies: "fe80::1%lo"`+network, "--trusted-proxies=fe80::1%lo")
	bad(`--trusted-proxies: "::ffff:10.0.0.0/104" is IPv4 written as IPv6: accepted is 10.0.0.0 without ::ffff:`, "--trusted-proxies=::ffff:10.0.0.0/104")
	bad(`--client-header: "cf-connecting-ip" names no client: accepted are x-forwarded-for, forwarded, x-real-ip, off`, "--client-header=cf-connecting-ip")
	const nobody = ": nobody is trusted to connect there: accepted is that with --trusted-proxies "
	bad(`--listen: ":1?proxy=required"`+nobody+"NETWORK", "--listen=:1?proxy=required")
	bad(`--listen: ":1?proxy=required"`+nobody+"NETWORK", "--listen=:1?proxy=required", "--trusted-proxies=unix")
	bad(`--listen: "unix:/x?proxy=required"`+nobody+"unix", "--listen=unix:/x?proxy=required", "--trusted-proxies=::/0")
	bad(`--socket-buffer: 4095 is out of range: accepted are 4KiB to 1GiB, and 0`, "--socket-buffer=4095")

	bad(`--loops: 1025 is out of range: accepted are 0 to 1024`, "--loops=1025")
	bad(`--max-connections: -1 is out of range: accepted are 0 to 2147483647`, "--max-connections=-1")
	bad(`--max-half-open: -1 is out of range: accepted are 0 to 2147483647`, "--max-half-open=-1")
	bad(`--max-fragments: -2 is out of range: accepted are 0 to 2147483647`, "--max-fragments=-2")
	bad(`--max-head: 0 is out of range: accepted are 512 to 64KiB`, "--max-head=0")
	bad(`--max-head: 65KiB is out of range: accepted are 512 to 64KiB`, "--max-head=65KiB")
	bad(`--max-control-rate: 65536 is out of range: accepted are 0 to 65535`, "--max-control-rate=65536")

	bad(`--compression: "yes" is neither: accepted are on, off`, "--compression=yes")
	bad(`--compression-level: 0 is out of range: accepted are 1 to 9`, "--compression-level=0")
	bad(`--compression-level: 10 is out of range: accepted are 1 to 9`, "--compression-level=10")
	bad(`--compression-threshold: "few"`+size, "--compression-threshold=few")

	bad(`--low-water: 64KiB does not go with --high-water 64KiB: accepted are 1 byte to less than that`, "--low-water=64KiB")
	bad(`--low-water: 0 does not go with --high-water 64KiB: accepted are 1 byte to less than that`, "--low-water=0")
	bad(`--idle-timeout: 50s does not go with --ping-interval 50s: accepted is more than that, or 0`, "--idle-timeout=50s")
	bad(`--drain-code: 1000 is no code to leave with: accepted are 1001 and 1012`, "--drain-code=1000")
	bad(`--drain: 9s does not go with --drain-timeout 8s: accepted is at most that`, "--drain=9s")

	bad(`unknown flag --max-mesage, did you mean "--max-message"?`, "--max-mesage=1")
	bad(`unexpected argument start`, "start")
	bad(`open nowhere.yaml: no such file or directory`, "--config=nowhere.yaml")
}

// TestDeadlines finds every duration of Config by reflection: none may be
// forgotten by check, whatever its flag.
func TestDeadlines(t *testing.T) {
	durations := 0
	for _, flag := range options(newParser(&commandLine{}, io.Discard, nil)) {
		if _, ok := flag.Target.Interface().(time.Duration); !ok {
			continue
		}
		durations++
		for _, value := range []string{"-1ns", "5760h0m0.000000001s", "100000h"} {
			_, _, err := parse([]string{"--" + flag.Name + "=" + value}, lookup(nil), io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), "--"+flag.Name+": ") ||
				!strings.HasSuffix(err.Error(), "accepted are 0s to 5760h, which is 240 days") {
				t.Errorf("%s %s: got %v", flag.Name, value, err)
			}
		}
	}
	if durations != 12 {
		t.Errorf("got %d durations, want 12", durations)
	}
}

// TestAccepted are values at the edge of what check lets pass; what it lets pass
// the poller must take.
func TestAccepted(t *testing.T) {
	for _, args := range []string{
		"--low-water=65535 --high-water=64KiB", "--low-water=0 --high-water=0", "--low-water=1",
		"--idle-timeout=0", "--ping-interval=0 --idle-timeout=1s", "--idle-timeout=50001ms",
		"--drain=8s", "--drain=1h --drain-timeout=0", "--max-lifetime=5760h",
		"-p 0", "-p 65535", "--port=9998", "--listen=127.0.0.1:0,127.0.0.1:0", "--listen=unix:/run/x.sock?mode=0660,unix:@x", "--listen=[fe80::1%lo]:80",
		"--origin=null", "--socket-buffer=4KiB", "--socket-buffer=1GiB", "--client-header=Forwarded",
		"--trusted-proxies=10.0.0.0/8,unix --listen=:0?proxy=required,unix:/x?proxy=required", "--trusted-proxies=::1", "--origin=", "--origin=HTTPS://EXAMPLE.COM",
		"--max-control-rate=0", "--max-connections=0", "--max-half-open=1", "--loops=1024", "--max-head=512", "--max-head=64KiB",
		"serve --loops=1", "--loops=1 serve", "routes --loops=1",
	} {
		_, c, err := parse(strings.Fields(args), lookup(nil), io.Discard)
		if err != nil {
			t.Errorf("%s: got %v", args, err)
			continue
		}
		p, err := serverConfig(c, nil, nil)
		if err == nil {
			err = p.Validate()
		}
		if err != nil {
			t.Errorf("%s: the poller says %v", args, err)
		}
	}
}

// TestNames: an error calls a value what the operator calls it.
func TestNames(t *testing.T) {
	bad := func(want string, env map[string]string, args ...string) {
		t.Helper()
		_, _, err := parse(args, lookup(env), io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
	file := "--config=testdata/config/bad-order.yaml"
	bad("ECHOGATE_MAX_MESSAGE: \"x\" is not", map[string]string{"ECHOGATE_MAX_MESSAGE": "x"})
	bad("ECHOGATE_DRAIN: 9s does not go with --drain-timeout 8s", map[string]string{"ECHOGATE_DRAIN": "9s"})
	bad("ECHOGATE_LOW_WATER: 9KiB does not go with testdata/config/bad-order.yaml:1: high-water 8KiB",
		map[string]string{"ECHOGATE_LOW_WATER": "9KiB"}, file)
	bad("ECHOGATE_LOW_WATER: 9KiB does not go with --high-water 7KiB",
		map[string]string{"ECHOGATE_LOW_WATER": "9KiB"}, file, "--high-water=7KiB")
	bad("ECHOGATE_PORT and ECHOGATE_LISTEN: ", map[string]string{"ECHOGATE_PORT": "1", "ECHOGATE_LISTEN": ":2"})
	bad("open nowhere.yaml", map[string]string{"ECHOGATE_CONFIG": "nowhere.yaml"})
	bad("open nowhere.yaml", map[string]string{"ECHOGATE_CONFIG": "testdata/config/all.yaml"}, "--config=nowhere.yaml")
}

// TestPort: --port is --listen, and the more important source of both holds.
func TestPort(t *testing.T) {
	listens := func(want string, env map[string]string, args ...string) {
		t.Helper()
		_, c, err := parse(args, lookup(env), io.Discard)
		if err != nil || strings.Join(c.Listen, " ") != want {
			t.Errorf("%v %v: got %v, %v; want %s", env, args, c, err, want)
		}
	}
	port := map[string]string{"ECHOGATE_PORT": "8000"}
	listen := map[string]string{"ECHOGATE_LISTEN": ":8001,[::1]:8002"}
	listens(":9998", nil)
	listens(":9000", nil, "-p9000")
	listens(":0", nil, "-p", "0")
	listens(":8000", port)
	listens(":9000", port, "-p", "9000")
	listens(":9001 :9002", port, "--listen=:9001", "--listen=:9002")
	listens(":8001 [::1]:8002", listen)
	listens(":9000", listen, "-p", "9000")
	listens(":8000", port, "--config=testdata/config/all.yaml")
	listens(":8001 [::1]:8002", listen, "--config=testdata/config/port.yaml")

	// What is not ours, and what is not set.
	listens(":9998", map[string]string{"ECHOGATE_PORT": "tcp://10.0.0.1:9998"})
	listens(":9998", map[string]string{"ECHOGATE_PORT": "", "ECHOGATE_CONFIG": ""})
}

// TestLimits: the flags' defaults are the library's, and 0 switches each of
// them off, where a Limits means the default by it.
func TestLimits(t *testing.T) {
	_, c, err := parse(nil, lookup(nil), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.limits(), websocket.DefaultLimits(); got != want {
		t.Errorf("defaults:\n got %+v\nwant %+v", got, want)
	}
	off := reflect.ValueOf((&Config{}).limits())
	for i := range off.NumField() {
		if off.Field(i).Int() >= 0 {
			t.Errorf("%s: got %v, want a negative value", off.Type().Field(i).Name, off.Field(i))
		}
	}
}
