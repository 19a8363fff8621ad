package checks

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// composed loads ../compose.yaml as docker compose does: an unknown key, a name
// that is not there or a value of the wrong form is an error.
func composed(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithProfiles(profiles), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeServices(t *testing.T) {
	for _, tt := range []struct {
		profiles []string
		want     string
	}{
		{nil, "gateway grafana prometheus"},
		{[]string{"nginx"}, "gateway grafana nginx prometheus"},
		{[]string{"haproxy"}, "gateway grafana haproxy prometheus"},
	} {
		if got := strings.Join(composed(t, tt.profiles...).ServiceNames(), " "); got != tt.want {
			t.Errorf("profiles %v: got %s, want %s", tt.profiles, got, tt.want)
		}
	}
}

// TestComposeFiles: what is mounted is there.
func TestComposeFiles(t *testing.T) {
	mounted := 0
	for name, s := range composed(t, "nginx", "haproxy").Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			mounted++
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !v.ReadOnly {
				t.Errorf("%s: %s could be written to", name, v.Source)
			}
		}
	}
	if mounted != 5 {
		t.Errorf("got %d mounts of files of ours, want 5", mounted)
	}
}

// TestComposeGateway: what the gateway is told is what it knows, and nothing that
// its image can do without is left to it.
func TestComposeGateway(t *testing.T) {
	s := composed(t).Services["gateway"]
	env := map[string]string{}
	for name, value := range s.Environment {
		env[name] = *value
	}
	accepted(t, "compose.yaml", env)
	ipam := composed(t).Networks["echogate"].Ipam.Config[0]
	if env["ECHOGATE_TRUSTED_PROXIES"] != ipam.IPRange || netip.MustParsePrefix(ipam.IPRange).Contains(netip.MustParseAddr(ipam.Gateway)) {
		t.Errorf("trusts %s, want the containers' %s without the host's %s", env["ECHOGATE_TRUSTED_PROXIES"], ipam.IPRange, ipam.Gateway)
	}
	if !s.ReadOnly || strings.Join(s.CapDrop, " ") != "ALL" || strings.Join(s.SecurityOpt, " ") != "no-new-privileges:true" {
		t.Errorf("read only %v, dropped capabilities %v, options %v: want an unprivileged service", s.ReadOnly, s.CapDrop, s.SecurityOpt)
	}
	if _, err := os.Stat(filepath.Join(s.Build.Context, "Dockerfile")); err != nil {
		t.Error(err)
	}
	if drain := duration(t, "--drain-timeout"); s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) <= drain {
		t.Errorf("grace time %v, want more than the %v of a drain", s.StopGracePeriod, drain)
	}
}
