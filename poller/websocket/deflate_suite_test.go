package websocket

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// suiteEchoes is how many echoes the suite has of each of its cases, and suiteBytes
// how many bytes of them there are at most in the usual run; all with
// ECHOGATE_TEST_FULL, which takes a minute.
const suiteEchoes, suiteBytes = 1000, 1 << 19

// TestCompressionSuite is groups 12 and 13 as the suite plays them: a thousand
// echoes of each kind, size and fragmentation, on one connection under each offer.
// What comes back is inflated by the standard library, and where a window was
// asked for by a reader that looks how far back it reaches.
func TestCompressionSuite(t *testing.T) {
	routes := goldenRoutes(t)
	kinds := []struct {
		first   byte
		payload func(n, i int) string
	}{{firstText, json}, {firstText, cyrillic}, {firstText, prose}, {firstText, html}, {firstBinary, noise}}
	for k, kind := range kinds {
		t.Run(fmt.Sprint("12.", k+1), func(t *testing.T) {
			t.Parallel()
			playSuite(t, routes, deflateOffers[0], kind.first, kind.payload)
		})
	}
	for k, offer := range deflateOffers {
		t.Run(fmt.Sprint("13.", k+1), func(t *testing.T) {
			t.Parallel()
			playSuite(t, routes, offer, firstText, json)
		})
	}
}

// playSuite plays all shapes of a group.
func playSuite(t *testing.T, routes *Routes, offer string, first byte, payload func(n, i int) string) {
	p := upgraded(t, routes)
	p.deflate = deflate{} // those of all peers are for one goroutine
	p.agreed(t, offer)
	for _, shape := range deflateShapes {
		echoes := suiteEchoes
		if os.Getenv("ECHOGATE_TEST_FULL") == "" || raceEnabled {
			echoes = max(min(suiteEchoes, suiteBytes/shape.size), 1)
		}
		if raceEnabled || testing.Short() {
			echoes = max(echoes/20, 1)
		}
		playShape(t, p, shape.size, shape.fragment, echoes, first, payload)
	}
}

// playShape sends messages of one shape, different ones by turns, and looks at the
// echoes: each at its first time to what it inflates to, later to its bytes, since
// no message depends on those before it.
func playShape(t *testing.T, p *peer, size, fragment, echoes int, first byte, payload func(n, i int) string) {
	t.Helper()
	const different = 8
	var in, out [different][]byte
	for i := range echoes {
		k := i % different
		if in[k] == nil {
			z := packed(payload(size, k))
			n := len(z)
			if fragment > 0 {
				n = max(len(z)*fragment/size, 1)
			}
			in[k] = []byte(split(first|rsv1Bit, z, n))
		}
		p.out = nil
		if !p.feed(in[k]) {
			t.Fatalf("%d bytes in %d, echo %d: %v", size, fragment, i, p.err)
		}
		if out[k] == nil {
			out[k] = p.out
			if got := p.got(t); got != bare(first, payload(size, k)) {
				t.Fatalf("%d bytes in %d, echo %d: got %s", size, fragment, i, brief([]byte(got)))
			}
			continue
		}
		if !bytes.Equal(p.out, out[k]) {
			t.Fatalf("%d bytes in %d, echo %d: got %s, and before %s", size, fragment, i, brief(p.out), brief(out[k]))
		}
	}
}
