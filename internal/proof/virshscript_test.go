package proof

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/peers"
)

// virshScript is a file of testdata/virsh: commands, one a line, and the files they
// read. Virsh and kvmnet get the same commands, each with a daemon of its own, and
// have to say the same. Beside the commands of virsh there are
//
//	guest NAME BRIDGE [6]  plugs a guest into a bridge and has it take a lease
//
// Below a command of which kvmnet makes something else stand the reason, after ~, and
// what kvmnet says: lines after 1| on standard output, after 2| on standard error,
// and after = the exit code.
type virshScript struct {
	commands []*virshCommand
	files    map[string]string
}

type virshCommand struct {
	line   int
	text   string
	reason string // why kvmnet says something else
	ours   peers.Said
}

func readVirshScript(t *testing.T, path string) *virshScript {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &virshScript{files: map[string]string{}}
	for _, f := range archive.Files {
		s.files[f.Name] = string(f.Data)
	}
	for i, line := range strings.Split(string(archive.Comment), "\n") {
		if line != "" && line[0] != '#' {
			s.take(t, i+1, line)
		}
	}
	return s
}

func (s *virshScript) take(t *testing.T, number int, line string) {
	t.Helper()
	last := &virshCommand{}
	if len(s.commands) > 0 {
		last = s.commands[len(s.commands)-1]
	}
	kind, rest := line[:1], strings.TrimPrefix(line[1:], " ")
	if len(line) > 1 && line[1] == '|' {
		kind, rest = line[:2], line[2:]
	}
	switch kind {
	case "~":
		last.reason += rest + " "
	case "1|":
		last.ours.Out += rest + "\n"
	case "2|":
		last.ours.Err += rest + "\n"
	case "=":
		if _, err := fmt.Sscan(rest, &last.ours.Code); err != nil {
			t.Fatalf("line %d: %v", number, err)
		}
	default:
		s.commands = append(s.commands, &virshCommand{line: number, text: line})
	}
}

// words splits a command as a shell does; there are no escapes.
func words(text string) (list []string) {
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range text + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				list = append(list, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	return list
}

// write writes the files of a script into a directory.
func (s *virshScript) write(t *testing.T, dir string) {
	t.Helper()
	for name, text := range s.files {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// veil takes out of what was said what nobody can foresee: the directory of the
// files, times, and UUIDs and MAC addresses that were made up. Of those each gets a
// number in the order in which they are first seen, so that it is still to be told
// whether two of them are the same.
type veil struct {
	dir   string
	seen  map[string]string
	given string // the script, which is no secret
}

var (
	unforeseen = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|52:54:00(:[0-9a-f]{2}){3}`)
	moment     = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	made       = regexp.MustCompile(`00:01:00:01(:[0-9a-f]{2}){4}`) // a DUID, and the time when it was made
	kept       = regexp.MustCompile(`/\S*/kvmnet-\d+-`)
)

func (v *veil) over(text string) string {
	text = strings.ReplaceAll(text, v.dir, "$F")
	text = kept.ReplaceAllString(text, "/tmp/kvmnet-N-")
	text = made.ReplaceAllString(text, "00:01:00:01:tt:ii:mm:ee")
	text = moment.ReplaceAllString(text, "yyyy-mm-dd hh:mm:ss")
	return unforeseen.ReplaceAllStringFunc(text, v.name)
}

func (v *veil) name(found string) string {
	if strings.Contains(v.given, found) {
		return found
	}
	if v.seen[found] == "" {
		kind := "uuid-"
		if len(found) == len("52:54:00:00:00:00") {
			kind = "52:54:00:m:a:c-"
		}
		width := len(found) - len(kind) // tables stay as wide
		v.seen[found] = fmt.Sprintf("%s%0*d", kind, width, len(v.seen)+1)
	}
	return v.seen[found]
}

func (v *veil) said(s peers.Said) peers.Said {
	return peers.Said{Out: v.over(s.Out), Err: v.over(s.Err), Code: s.Code}
}

// sides shows what both said, beside each other.
func sides(virsh, kvmnet peers.Said) string {
	var b strings.Builder
	for _, part := range []struct{ name, virsh, kvmnet string }{
		{"stdout", virsh.Out, kvmnet.Out},
		{"stderr", virsh.Err, kvmnet.Err},
		{"exit code", fmt.Sprintln(virsh.Code), fmt.Sprintln(kvmnet.Code)},
	} {
		if part.virsh == part.kvmnet {
			fmt.Fprintf(&b, "    %s: the same\n", part.name)
			continue
		}
		fmt.Fprintf(&b, "    %s:\n", part.name)
		theirs, ours := strings.SplitAfter(part.virsh, "\n"), strings.SplitAfter(part.kvmnet, "\n")
		for i := range max(len(theirs), len(ours)) {
			left, right := at(theirs, i), at(ours, i)
			if left == right {
				fmt.Fprintf(&b, "               %q\n", left)
				continue
			}
			fmt.Fprintf(&b, "      virsh   %q\n      kvmnet  %q\n", left, right)
		}
	}
	return b.String()
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
