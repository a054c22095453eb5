// Command gen writes what an installation has besides the program: manual pages and
// what shells complete. It is a program of its own, so that kvmnet does not carry what
// only its packages need.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"kvmnet/internal/cli"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: gen DIRECTORY VERSION FOLDER-OF-TEXTS")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// write fills a directory: man1, man5, bash, zsh and fish below it.
func write(dir, version, texts string) error {
	for _, sub := range []string{"man1", "man5", "bash", "zsh", "fish"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	root := cli.New(cli.Options{Version: version})
	return errors.Join(completions(root, dir), pages(root, filepath.Join(dir, "man1"), version), texted(texts, filepath.Join(dir, "man5"), version))
}

func completions(root *cobra.Command, dir string) error {
	return errors.Join(
		root.GenBashCompletionFileV2(filepath.Join(dir, "bash", "kvmnet"), true),
		root.GenZshCompletionFile(filepath.Join(dir, "zsh", "_kvmnet")),
		root.GenFishCompletionFile(filepath.Join(dir, "fish", "kvmnet.fish"), true))
}

// pages writes a page for every command that is not hidden.
func pages(root *cobra.Command, dir, version string) error {
	root.DisableAutoGenTag = true // the date of the build stands in the header, and is enough
	date := released()
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "kvmnet " + version, Manual: "kvmnet"}, dir)
}

// texted writes the pages that are written by hand: NAME.SECTION.md becomes NAME.SECTION.
func texted(from, to, version string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.5.md"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := filepath.Base(file[:len(file)-len(".md")])
		title := fmt.Sprintf("%% %q \"5\" %q %q \"kvmnet\"\n", strings.ToUpper(name[:len(name)-len(".5")]), released().Format("Jan 2006"), "kvmnet "+version)
		if err := os.WriteFile(filepath.Join(to, name), md2man.Render(append([]byte(title), text...)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// released is the date of the pages: SOURCE_DATE_EPOCH, for builds that are the same
// whenever they are made.
func released() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Now()
	}
	return time.Unix(seconds, 0).UTC()
}
