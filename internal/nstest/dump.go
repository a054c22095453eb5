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

	"golang.org/x/sys/unix"

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

// views are the commands whose output makes up a dump. As many as may share a
// process do: a test that kills a daemon at every op dumps hundreds of times.
var views = []struct {
	title string
	argv  []string
	batch string         // on standard input
	skip  *regexp.Regexp // lines to leave out; nil keeps every line
}{
	{title: "links", argv: []string{"ip", "-details", "-oneline", "link", "show"}},
	{title: "addresses, neighbours", argv: []string{"ip", "-oneline", "-force", "-batch", "-"}, batch: "address show\nneigh show nud permanent\n"},
	{title: "ipv4 routes, rules", argv: []string{"ip", "-4", "-force", "-batch", "-"}, batch: "route show table all\nrule show\n"},
	{title: "ipv6 routes, rules", argv: []string{"ip", "-6", "-force", "-batch", "-"}, batch: "route show table all\nrule show\n"},
	// Multicast entries follow group membership; entries without a word at
	// the end were learnt from traffic.
	{title: "forwarding entries", argv: []string{"bridge", "fdb", "show"}, skip: regexp.MustCompile(`^(33:33|01:00:5e):| (self|master [^ ]+)\s*$`)},
	{title: "nft", argv: []string{"nft", "--stateless", "list", "ruleset"}},
}

// volatile is what changes by itself in the output of ip.
var volatile = regexp.MustCompile(`(_timer|_lft|expires|bridge_id|designated_root|designated_bridge|used|age) +[0-9]+[0-9a-f.:/]*(sec)?| tentative| cache .*`)

// mayVary tells the lines that the expression can match, which is slow.
func mayVary(line string) bool {
	for _, word := range []string{"_timer", "_lft", "expires", "_id", "designated", "used", "age", "tentative", "cache"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

func dump(ns *netns.NS) (string, error) {
	var b strings.Builder
	var errs []error
	for _, v := range views {
		cmd := exec.Command(v.argv[0], v.argv[1:]...)
		if v.batch != "" {
			cmd.Stdin = strings.NewReader(v.batch)
		}
		out, err := output(ns, cmd)
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
		if mayVary(line) {
			line = volatile.ReplaceAllString(line, "$1 *")
		}
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
	buf := make([]byte, 4096)
	for _, e := range entries {
		if e.IsDir() || slices.Contains(unstable, e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if value := setting(path, buf); value != "0" && value != "" {
			lines = append(lines, strings.TrimPrefix(path, "/proc/sys/")+"="+value)
		}
	}
	return lines
}

// setting reads a setting with no more calls than it takes: a machine has
// thousands. What cannot be read is "".
func setting(path string, buf []byte) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	n, _ := unix.Read(fd, buf)
	if value := buf[:max(n, 0)]; !bytes.Equal(value, []byte("0\n")) {
		return strings.Join(strings.Fields(string(value)), " ")
	}
	return "0"
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
