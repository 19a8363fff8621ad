package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}
	is := func(want string) {
		t.Helper()
		if got := versionOf(info); !strings.HasPrefix(got, want+", go") {
			t.Errorf("got %q, want %q, go…", got, want)
		}
	}
	is("echogate v1.2.3")
	info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}
	is("echogate v1.2.3 abc")
	info.Settings[1].Value = "true"
	is("echogate v1.2.3 abc with changes")
}
