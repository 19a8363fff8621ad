package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// stamped is the version that a build without the repository is told
// (-ldflags "-X main.stamped=v1.2.3"), as the container's is.
var stamped string

// version is what the sub-command of that name prints: the module's version
// and, when the program was built inside its repository, the commit.
func version() string { return versionOf(build()) }

// release is the module's version alone, as the metrics have it.
func release() string { return build().Main.Version }

// build is what the program was built of.
func build() *debug.BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{Main: debug.Module{Version: "(unknown)"}}
	}
	if stamped != "" {
		info.Main.Version = stamped
	}
	return info
}

func versionOf(info *debug.BuildInfo) string {
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " with changes"
		}
	}
	return fmt.Sprintf("echogate %s%s%s, %s %s/%s", info.Main.Version, commit, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
