package libvirtxml

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/peers"
)

// batch is how many documents one virsh is given: starting it takes longer than what it
// does.
const batch = 40

var plainName = regexp.MustCompile(`<name>([a-zA-Z0-9_-]+)</name>`)

// askLibvirt defines a network of each document, dumps it and undefines it, and
// returns the errors and the dumps.
func askLibvirt(t *testing.T, lv *peers.Libvirt, documents []string) []string {
	t.Helper()
	answers := make([]string, len(documents))
	for from := 0; from < len(documents); from += batch {
		var commands []string
		for i, text := range documents[from:min(from+batch, len(documents))] {
			file, name := lv.File(fmt.Sprintf("network%d.xml", i), text), "a"
			if found := plainName.FindStringSubmatch(text); found != nil {
				name = found[1]
			}
			commands = append(commands, fmt.Sprintf("echo ==%d==; echo --err ==%d==; net-define %s; net-dumpxml %s; net-undefine %s", i, i, file, name, name))
		}
		said := lv.Virsh(strings.Join(commands, "; "))
		for i := range commands {
			text := documents[from+i]
			out, errors := part(said.Out, fmt.Sprintf("==%d==", i)), part(said.Err, fmt.Sprintf("error: ==%d==", i))
			answers[from+i] = withoutMadeUp(dumped(out), text)
			if !strings.Contains(out, " defined from ") {
				answers[from+i] = refused(errors)
			} else if !strings.Contains(out, " has been undefined") {
				answers[from+i] = askAlone(t, lv, out, text)
			}
		}
	}
	return answers
}

// part is what follows a line that is a mark, up to the next mark.
func part(said, mark string) string {
	_, rest, _ := strings.Cut("\n"+said, "\n"+mark+"\n")
	rest, _, _ = strings.Cut(rest, "\n"+mark[:strings.IndexByte(mark, '=')+2])
	return rest
}

// dumped is the dump among what the commands of a document print.
func dumped(out string) string {
	_, dump, _ := strings.Cut(out, "\n\n")
	if end := strings.LastIndex(dump, "\n\nNetwork "); end >= 0 {
		dump = dump[:end]
	}
	return dump + "\n"
}

// refused is the error of net-define, without what it was about.
func refused(errors string) string {
	_, message, _ := strings.Cut(errors, "\n")
	message, _, _ = strings.Cut(message, "\nerror: failed to get network ")
	return strings.TrimRight(message, "\n") + "\n"
}

// askAlone asks for a document that was defined by a name that is hard to tell.
func askAlone(t *testing.T, lv *peers.Libvirt, out, text string) string {
	t.Helper()
	name := strings.TrimPrefix(strings.TrimLeft(out[:strings.LastIndex(out, " defined from ")], "\n"), "Network ")
	dump := lv.Virsh("net-dumpxml", "--network", name)
	if said := lv.Virsh("net-undefine", "--network", name); said.Code != 0 || dump.Code != 0 {
		t.Fatalf("%q\n%s%s", text, dump.Err, said.Err)
	}
	return withoutMadeUp(strings.TrimSuffix(dump.Out, "\n"), text)
}

var (
	madeUpBridge = regexp.MustCompile(` name='virbr\d+'`)
	writtenUUID  = regexp.MustCompile(`<uuid>\s*[0-9a-fA-F]`)
	writtenMAC   = regexp.MustCompile(`<mac( xmlns='')? address=.[^'"]`)
)

// withoutMadeUp removes from a dump what libvirt adds to a document: the UUID, the
// address and the name of the bridge.
func withoutMadeUp(dump, text string) string {
	var b strings.Builder
	for line := range strings.Lines(dump) {
		switch {
		case strings.HasPrefix(line, "  <uuid>") && !writtenUUID.MatchString(text):
		case strings.HasPrefix(line, "  <mac ") && !writtenMAC.MatchString(text):
		case strings.HasPrefix(line, "  <bridge ") && !strings.Contains(text, "virbr"):
			b.WriteString(madeUpBridge.ReplaceAllString(line, ""))
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}
