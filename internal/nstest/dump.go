package nstest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/netns"
)

// Dump prints a namespace as stable text: links, addresses, routes, rules, fixed
// neighbours and forwarding entries, the nft ruleset, and settings. Two dumps
// are equal unless somebody changed something: counters, handles, timers,
// lifetimes and what the kernel learns from traffic are left out.
func Dump(t testing.TB, ns *netns.NS) string {
	t.Helper()
	text, err := dump(ns)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Unchanged dumps the namespace now and compares at the end of the test. What
// the kernel takes down in its own time has ten seconds.
func Unchanged(t testing.TB, ns *netns.NS) {
	t.Helper()
	before := Dump(t, ns)
	t.Cleanup(func() {
		t.Helper()
		if diff := settle(before, func() (string, error) { return dump(ns) }); diff != "" {
			t.Errorf("the namespace is not as it was (-before +after):\n%s", diff)
		}
	})
}

// Same fails the test if two dumps differ.
func Same(t testing.TB, before, after string) {
	t.Helper()
	if diff := Diff(before, after); diff != "" {
		t.Errorf("dumps differ (-before +after):\n%s", diff)
	}
}

// views are the commands whose output makes up a dump.
var views = []struct {
	title string
	argv  []string
	skip  *regexp.Regexp // lines to leave out; nil keeps every line
}{
	{"links", []string{"ip", "-details", "-oneline", "link", "show"}, nil},
	{"addresses", []string{"ip", "-oneline", "address", "show"}, nil},
	{"ipv4 routes", []string{"ip", "-4", "route", "show", "table", "all"}, nil},
	{"ipv6 routes", []string{"ip", "-6", "route", "show", "table", "all"}, nil},
	{"ipv4 rules", []string{"ip", "-4", "rule", "show"}, nil},
	{"ipv6 rules", []string{"ip", "-6", "rule", "show"}, nil},
	{"neighbours", []string{"ip", "neigh", "show", "nud", "permanent"}, nil},
	// Multicast entries follow group membership; entries without a word at
	// the end were learnt from traffic.
	{"forwarding entries", []string{"bridge", "fdb", "show"}, regexp.MustCompile(`^(33:33|01:00:5e):| (self|master [^ ]+)\s*$`)},
	{"nft", []string{"nft", "--stateless", "list", "ruleset"}, nil},
}

// volatile is what changes by itself in the output of ip.
var volatile = regexp.MustCompile(`(_timer|_lft|expires|bridge_id|designated_root|designated_bridge|used|age) +[0-9]+[0-9a-f.:/]*(sec)?| tentative| cache .*`)

func dump(ns *netns.NS) (string, error) {
	var b strings.Builder
	var errs []error
	for _, v := range views {
		out, err := output(ns, exec.Command(v.argv[0], v.argv[1:]...))
		// Without any bridge, or IPv6, some of them have nothing to show.
		if err != nil && !strings.Contains(out, "not supported") {
			errs = append(errs, fmt.Errorf("dump %s: %w: %s", v.title, err, out))
		}
		section(&b, v.title, tidy(out, v.skip))
	}
	settings, err := sysctls(ns)
	section(&b, "settings", settings)
	return b.String(), errors.Join(append(errs, err)...)
}

func section(b *strings.Builder, title, text string) {
	fmt.Fprintf(b, "# %s\n", title)
	if text = strings.TrimSpace(text); text != "" {
		b.WriteString(text + "\n")
	}
}

// tidy drops volatile words and trailing space, and lines to skip.
func tidy(out string, skip *regexp.Regexp) string {
	var lines []string
	for line := range strings.Lines(out) {
		if skip != nil && skip.MatchString(line) {
			continue
		}
		line = volatile.ReplaceAllString(line, "$1 *")
		lines = append(lines, strings.TrimRight(strings.ReplaceAll(line, `\`, ""), " \n"))
	}
	return strings.Join(lines, "\n")
}

// sysctls prints the settings that are not zero. What is left out counts or is
// secret.
func sysctls(ns *netns.NS) (string, error) {
	var lines []string
	err := ns.Do(func() error {
		for _, pattern := range []string{"ipv4", "ipv4/conf/*", "ipv6", "ipv6/conf/*", "bridge", "netfilter"} {
			dirs, err := filepath.Glob("/proc/sys/net/" + pattern)
			if err != nil {
				return err
			}
			slices.Sort(dirs)
			for _, dir := range dirs {
				lines = append(lines, settingsIn(dir)...)
			}
		}
		return nil
	})
	return strings.Join(lines, "\n"), err
}

// unstable settings are counts, secrets, and what the kernel tunes by itself.
var unstable = []string{"nf_conntrack_count", "stable_secret", "tcp_fastopen_key", "mtu"}

func settingsIn(dir string) (lines []string) {
	entries, _ := os.ReadDir(dir) // an interface may go while we look
	for _, e := range entries {
		if e.IsDir() || slices.Contains(unstable, e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		value, err := os.ReadFile(path)
		if v := strings.Join(strings.Fields(string(value)), " "); err == nil && v != "0" && v != "" {
			lines = append(lines, strings.TrimPrefix(path, "/proc/sys/")+"="+v)
		}
	}
	return lines
}

// Diff compares two dumps and returns the lines that only one of them has, each
// below the title of its section; "" is no difference.
func Diff(before, after string) string {
	gone, come := missing(before, after), missing(after, before)
	var b strings.Builder
	for _, title := range append(titles(before), titles(after)...) {
		lines := slices.Concat(gone[title], come[title])
		if len(lines) == 0 {
			continue
		}
		b.WriteString(title + "\n")
		for _, line := range gone[title] {
			b.WriteString("- " + line + "\n")
		}
		for _, line := range come[title] {
			b.WriteString("+ " + line + "\n")
		}
		delete(gone, title)
		delete(come, title)
	}
	return b.String()
}

// missing lists the lines of a that b lacks, by section.
func missing(a, b string) map[string][]string {
	count := map[string]int{}
	each(b, func(title, line string) { count[title+line]++ })
	out := map[string][]string{}
	each(a, func(title, line string) {
		if count[title+line]--; count[title+line] < 0 {
			out[title] = append(out[title], line)
		}
	})
	return out
}

func titles(dump string) (list []string) {
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, "# ") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// each calls fn with every line and the title of its section.
func each(dump string, fn func(title, line string)) {
	title := ""
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# ") {
			title = line
			continue
		}
		fn(title, line)
	}
}

// output starts a command inside a namespace and returns all it wrote.
func output(ns *netns.NS, cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := ns.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}
