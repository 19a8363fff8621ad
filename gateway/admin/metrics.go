package admin

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// prefix is in front of the name of every metric that is ours.
const prefix = "echogate_"

// maxScrapes is how many scrapes are answered at a time.
const maxScrapes = 4

// A Counter is a family of counters that another package keeps. Labels must come
// from closed lists.
type Counter struct {
	Name   string // without the prefix, with _total
	Labels []string
	Help   string
	// Read tells the counters as they are: add is called for each, with the
	// values of Labels. It may be called by several goroutines at once.
	Read func(add func(n uint64, labels ...string))
}

// family makes a Counter a line of the table.
func (c *Counter) family() family {
	return family{c.Name, counter, c.Labels, c.Help, func(_ *facts, add adder) {
		c.Read(func(n uint64, labels ...string) { add(float64(n), labels...) })
	}}
}

// A Metric describes a metric that is ours.
type Metric struct {
	Name, Type string
	Labels     []string
	Help       string
}

// Reference describes all metrics, with those of other packages.
func Reference(counters []Counter) []Metric {
	var all []Metric
	for _, f := range allFamilies(counters) {
		all = append(all, Metric{prefix + f.name, string(f.kind), f.labels, f.help})
	}
	for _, h := range histograms {
		all = append(all, Metric{prefix + h.name, "histogram", nil, h.help})
	}
	return all
}

// metrics answers /metrics: everything is read when it is asked for.
func (s *Server) metrics(counters []Counter) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(s, counters),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: requestTime})
}

// collector turns the table of families into Prometheus's terms.
type collector struct {
	server     *Server
	families   []family
	histograms []histogram
	described  map[string]*prometheus.Desc
}

func newCollector(s *Server, counters []Counter) *collector {
	c := &collector{server: s, families: allFamilies(counters), histograms: histograms, described: make(map[string]*prometheus.Desc)}
	for _, f := range c.families {
		c.described[f.name] = prometheus.NewDesc(prefix+f.name, f.help, f.labels, nil)
	}
	for _, h := range c.histograms {
		c.described[h.name] = prometheus.NewDesc(prefix+h.name, h.help, nil, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.described {
		ch <- d
	}
}

// Collect implements prometheus.Collector: the loops are asked once.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := c.server.facts()
	for _, f := range c.families {
		desc := c.described[f.name]
		f.read(&now, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(desc, f.kind.value(), v, labels...)
		})
	}
	for _, h := range c.histograms {
		buckets, count, sum := h.read(&now)
		ch <- prometheus.MustNewConstHistogram(c.described[h.name], count, sum, buckets)
	}
}
