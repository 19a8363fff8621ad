//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// crowd are clients that echo until the test ends.
func crowd(t *testing.T, host string, n int) {
	t.Helper()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range n {
		conn, _ := dial(t, "ws://"+host+"/echo")
		_ = conn.SetDeadline(time.Now().Add(5 * patience))
		all.Go(func() {
			pause := time.NewTicker(20 * time.Millisecond)
			defer pause.Stop()
			for {
				if wsutil.WriteClientMessage(conn, ws.OpText, []byte("How many are we?")) != nil {
					return
				}
				if _, _, err := wsutil.ReadServerData(conn); err != nil {
					return
				}
				select {
				case <-stop:
					return
				case <-pause.C:
				}
			}
		})
	}
	t.Cleanup(func() {
		close(stop)
		all.Wait()
	})
}

// figureOf is the script for the number that a figure of the admin page shows.
func figureOf(id string) string {
	return fmt.Sprintf(`Number(document.querySelector("#%s output").textContent.replace(/[^0-9.]/g, ""))`, id)
}

// The admin page under load: its figures count, nothing is wider than the
// screen, and the pictures are kept for who asks for them.
func TestAdminPageUnderLoad(t *testing.T) {
	p := startWithAdmin(t, "--drain", "0", "--max-connections", "150")
	b := openBrowser(t)
	crowd(t, p.host, 120)
	b.open("http://" + p.admin + "/")
	b.until(`document.getElementById("standing").dataset.standing !== "waiting"`)
	t.Log(b.text("standing"))
	b.until(figureOf("connections") + " === 120")
	b.until(figureOf("messages") + " > 10")
	b.until(figureOf("memory") + " > 0")
	b.until(`document.querySelectorAll("#loops tbody tr").length > 0 && document.querySelector("#routes tbody").textContent.includes("/echo")`)
	for range 40 { // more than there are places for; what nobody held would be closed by the collector
		if conn, _, _, err := (ws.Dialer{Timeout: patience}).Dial(b.ctx, "ws://"+p.host+"/echo"); err == nil {
			t.Cleanup(func() { conn.Close() })
		}
	}
	b.until(`document.querySelector("#reasons tbody").textContent.includes("refused: ")`)
	b.until(`document.querySelector("#messages .line").getAttribute("d").split("L").length > 4`)
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{
		{"admin-desktop-light", "light", 1280, 800},
		{"admin-desktop-dark", "dark", 1280, 800},
		{"admin-tablet-light", "light", 820, 1180},
		{"admin-phone-light", "light", 375, 812},
		{"admin-phone-dark", "dark", 375, 812},
	} {
		b.do(look.name, emulateScheme(look.scheme), chromedp.EmulateViewport(look.width, look.height, asPhone(look.width < 500)))
		b.until(fmt.Sprintf("innerWidth === %d", look.width))
		if wide := valueOf[int64](b, "document.documentElement.scrollWidth"); wide > look.width {
			t.Errorf("%s: the page is %d pixels wide", look.name, wide)
		}
		b.picture(look.name)
	}
	if all := b.complained(); len(all) > 0 {
		t.Errorf("the page complained: %q", all)
	}
}

// A drain that is asked for on the page happens, and a gateway that is gone is
// told from one that is idle.
func TestAdminPageDrains(t *testing.T) {
	p := startWithAdmin(t, "--drain", "0")
	b := openBrowser(t)
	conn, _ := dial(t, "ws://"+p.host+"/echo")
	b.open("http://" + p.admin + "/")
	b.until(figureOf("connections") + " === 1")
	b.fill("percent", "100")
	b.fill("over", "0s")
	b.do("draining", chromedp.Click(chromedp.CSS("#drain button"), chromedp.NodeEnabled))
	wantFrame(t, conn, ws.OpClose, "\x03\xe9going away")
	b.until(`document.getElementById("drained").textContent.includes("100 %")`)
	if all := b.complained(); len(all) > 0 {
		t.Errorf("the page complained: %q", all)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	b.until(`document.getElementById("standing").dataset.standing === "silent"`)
	if text := b.text("standing"); !strings.Contains(text, "no answer") {
		t.Errorf("the page says %q of a gateway that is gone", text)
	}
}
