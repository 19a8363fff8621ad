package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// heapMetrics are the names under which Prometheus's client for Go exports the
// heap in use, the preferred one first.
var heapMetrics = []string{"go_memstats_heap_inuse_bytes", "go_memory_classes_heap_objects_bytes"}

const goroutinesMetric = "go_goroutines"

// metricsTimeout bounds the wait for a server that may be busy with the load.
const metricsTimeout = 5 * time.Second

// goRuntime asks a server's metrics for the heap in use and, if they have it,
// the number of goroutines.
func goRuntime(ctx context.Context, url string) (heap, goroutines int64, err error) {
	found, err := scrape(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	goroutines = int64(found[goroutinesMetric])
	for _, name := range heapMetrics {
		if v, ok := found[name]; ok {
			return int64(v), goroutines, nil
		}
	}
	return 0, goroutines, fmt.Errorf("%s has no %s", url, strings.Join(heapMetrics, " and no "))
}

// scrape reads the metrics that have no labels.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // a connection kept open would be one more in the server's figures
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(url + " answers " + resp.Status)
	}
	found := make(map[string]float64)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = v
		}
	}
	return found, lines.Err()
}
