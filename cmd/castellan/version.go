package main

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"castellan/internal/terminal"
)

// What the Makefile knows about the build; empty in a build by other means.
var version, commit string

// build returns version and commit of this program: those of the Makefile, else those the Go
// tool has noted, else "unknown".
func build() (v, c string) {
	v, c = version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		v = cmp.Or(v, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = cmp.Or(c, s.Value)
			}
		}
	}
	return cmp.Or(v, "unknown"), cmp.Or(c, "unknown")
}

// versionCommand returns `castellan version`.
func (p *program) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version of this program",
		Example: "  castellan version --output json",
		Args:    terminal.Arguments(),
	}
	output := terminal.AddOutput(cmd)
	cmd.RunE = p.Do(func(context.Context, []string) error {
		v, c := build()
		info := versionInfo{Version: v, Commit: c, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if *output == terminal.OutputJSON {
			return terminal.WriteJSON(p.Out, info)
		}
		return terminal.WriteTable(p.Out, []terminal.Row{
			{"Version", info.Version}, {"Commit", info.Commit}, {"Go", info.Go}, {"Platform", info.Platform},
		})
	})
	return cmd
}

// versionInfo is the answer of `castellan version --output json`.
type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}
