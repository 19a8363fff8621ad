package checks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// panel is what of a dashboard's panel is looked at here.
type panel struct {
	Type, Title, Description string
	Targets                  []struct{ Expr string }
}

const dashboardFile = "../grafana/dashboards/echogate.json"

func panels(t *testing.T) []panel {
	t.Helper()
	var d struct{ Panels []panel }
	if err := json.Unmarshal([]byte(readFile(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

// dashboardQueries are the expressions of each panel.
func dashboardQueries(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			found[p.Title] = append(found[p.Title], target.Expr)
		}
	}
	if len(found) == 0 {
		t.Fatal("no queries")
	}
	return found
}

// TestDashboardSchema: the dashboard is what Grafana's own types say.
func TestDashboardSchema(t *testing.T) {
	//lint:ignore SA1019 Grafana 12 still provisions this form, and older ones know no other
	var d dashboard.Dashboard
	// Either may be a list without errors in it.
	for _, err := range []error{d.UnmarshalJSONStrict([]byte(readFile(t, dashboardFile))), d.Validate()} {
		if err != nil && err.Error() != "" {
			t.Error(err)
		}
	}
}

// TestDashboardPanels: each panel says what it shows, and no two have one name.
func TestDashboardPanels(t *testing.T) {
	titles := map[string]bool{}
	for _, p := range panels(t) {
		if p.Type == "row" {
			continue
		}
		if titles[p.Title] {
			t.Errorf("two panels are called %q", p.Title)
		}
		titles[p.Title] = true
		if p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("%q has description %q and %d queries", p.Title, p.Description, len(p.Targets))
		}
	}
}

// TestGrafanaProvisioning: the provisioned files say where, in the container of
// the compose file, the dashboard and its source are.
func TestGrafanaProvisioning(t *testing.T) {
	grafana := composed(t).Services["grafana"]
	mounted := map[string]string{}
	for _, v := range grafana.Volumes {
		mounted[v.Target] = v.Source
	}
	var provider struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name    string `json:"name"`
			Type    string `json:"type"`
			Options struct {
				Path string `json:"path"`
			} `json:"options"`
		} `json:"providers"`
	}
	if err := strictly([]byte(readFile(t, "../grafana/provisioning/dashboards/echogate.yaml")), &provider); err != nil {
		t.Fatal(err)
	}
	dir := mounted[provider.Providers[0].Options.Path]
	if _, err := os.Stat(filepath.Join(dir, filepath.Base(dashboardFile))); dir == "" || err != nil {
		t.Errorf("no dashboard in %s: %v", provider.Providers[0].Options.Path, err)
	}
	var source struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name      string `json:"name"`
			UID       string `json:"uid"`
			Type      string `json:"type"`
			Access    string `json:"access"`
			URL       string `json:"url"`
			IsDefault bool   `json:"isDefault"`
			JSONData  struct {
				TimeInterval string `json:"timeInterval"`
			} `json:"jsonData"`
		} `json:"datasources"`
	}
	if err := strictly([]byte(readFile(t, "../grafana/provisioning/datasources/prometheus.yaml")), &source); err != nil {
		t.Fatal(err)
	}
	if d := source.Datasources[0]; d.URL != "http://prometheus:9090" || !d.IsDefault {
		t.Errorf("source %+v, want the Prometheus of the compose file", d)
	}
	replaced(t, readFile(t, "../prometheus/prometheus.yml"), "scrape_interval: "+source.Datasources[0].JSONData.TimeInterval, "")
}
