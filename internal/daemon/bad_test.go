package daemon_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/cli"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
)

// TestBadFilesChangeNothing gives every bad file of package specfile to the
// command line. Each must end with exit code 1 and its exact message, and leave
// the definitions, what runs, and the kernel as they were.
func TestBadFilesChangeNothing(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply("networks: {there: {mode: nat, subnets: [{address: 10.99.0.1/24}]}}\n")
	m.Settled()
	before, defined := nstest.Dump(t, m.NS), m.export()
	cases, err := filepath.Glob("../specfile/testdata/bad/*.txtar")
	if err != nil || len(cases) < 40 {
		t.Fatalf("%d bad files, %v", len(cases), err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			text, want := badCase(t, path)
			for _, command := range [][]string{{"apply"}, {"diff"}} {
				code, out := m.run(strings.NewReader(text), append(command, "-f", "-")...)
				if code != 1 {
					t.Errorf("%s: exit code %d, want 1", command, code)
				}
				if !strings.Contains(out, strings.TrimSpace(want)) {
					t.Errorf("%s prints\n%s\nwant\n%s", command, out, want)
				}
			}
			if now := m.export(); now != defined {
				t.Errorf("definitions are\n%s\nwere\n%s", now, defined)
			}
		})
	}
	m.Settled()
	nstest.Same(t, before, nstest.Dump(t, m.NS))
	if strings.Contains(m.Log.String(), "bad-") {
		t.Errorf("the daemon logged user errors:\n%s", m.Log)
	}
}

// badCase returns the file of a case and the message it must give, the name of
// the file being that of standard input.
func badCase(t *testing.T, path string) (text, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse(data).Files {
		if f.Name == "want" {
			want = string(f.Data)
		} else {
			text = string(f.Data)
		}
	}
	return text, strings.ReplaceAll(want, "lab.yaml:", stdinName+":")
}

// stdinName is what messages call standard input.
const stdinName = "<stdin>"

// run runs the command line against the daemon.
func (m *machine) run(stdin *strings.Reader, args ...string) (code int, output string) {
	m.T.Helper()
	var out bytes.Buffer
	code = cli.Run(m.T.Context(), append(args, "--socket", filepath.Join(m.Dir, "sock")),
		cli.Options{Version: "test", Stdin: stdin, Stdout: &out, Stderr: &out})
	return code, out.String()
}

// export returns every definition.
func (m *machine) export() string {
	m.T.Helper()
	text, err := m.Client.Export(m.T.Context(), "", "")
	if err != nil {
		m.T.Fatal(err)
	}
	return text
}
