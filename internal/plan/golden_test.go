package plan_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

// TestGolden reads a case from each file of testdata: have is the host, before.json
// a spec that ran on it, damage what happened to it since, spec.json what is to run
// but for the stopped networks.
// The results are what is wanted, the ops, the problems and what guests notice.
// Every case must then converge.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			golden(t, file)
		})
	}
}

func golden(t *testing.T, file string) {
	ar, in := readCase(t, file)
	m := newMachine()
	if err := m.observe(in["have"]); err != nil {
		t.Fatalf("have: %v", err)
	}
	if before := in["before.json"]; before != "" {
		if err := m.converge(readSpec(t, before), nil); err != nil {
			t.Fatalf("before: %v", err)
		}
	}
	if err := m.observe(in["damage"]); err != nil {
		t.Fatalf("damage: %v", err)
	}
	s := readSpec(t, in["spec.json"])
	for _, name := range strings.Fields(in["stopped"]) {
		delete(s.Networks, name) // live are the networks that run, and all ports
	}
	check(t, file, ar, results(m, s))
	if err := m.converge(s, nil); err != nil {
		t.Error(err)
	}
}

// readCase reads the sections of a case.
func readCase(t *testing.T, file string) (ar *txtar.Archive, in map[string]string) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in = map[string]string{}
	for _, f := range ar.Files {
		in[f.Name] = string(f.Data)
	}
	return ar, in
}

// results are the sections that a case states.
func results(m *machine, s *spec.Spec) map[string]string {
	want, ops, conflicts := m.look(s)
	var problems []string
	for _, c := range conflicts {
		problems = append(problems, c.Owner+": "+c.Message)
	}
	for _, c := range plan.Warnings(s, m.facts()) {
		problems = append(problems, c.Owner+": "+c.Message)
	}
	return map[string]string{
		"want": want.String(), "ops": lines(plan.Lines(ops)),
		"problems": lines(problems), "disturbs": lines(plan.Disturbs(ops)),
	}
}

func lines(l []string) string {
	if len(l) == 0 {
		return ""
	}
	return strings.Join(l, "\n") + "\n"
}

// check compares the results with those in the file, or rewrites them: "want"
// only where the case has it, "ops" always, the others when there are any.
func check(t *testing.T, file string, ar *txtar.Archive, got map[string]string) {
	t.Helper()
	states := func(name string) bool {
		return slices.ContainsFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	}
	kept := slices.DeleteFunc(slices.Clone(ar.Files), func(f txtar.File) bool { _, is := got[f.Name]; return is })
	for _, name := range []string{"want", "ops", "problems", "disturbs"} {
		if name == "ops" || name == "want" && states(name) || name != "want" && got[name] != "" {
			kept = append(kept, txtar.File{Name: name, Data: []byte(got[name])})
		}
	}
	text := txtar.Format(&txtar.Archive{Comment: ar.Comment, Files: kept})
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(ar)), string(text)); diff != "" {
		t.Errorf("-want +got, go test -update rewrites:\n%s", diff)
	}
}

// readSpec reads a valid spec and fills in its defaults.
func readSpec(t *testing.T, text string) *spec.Spec {
	t.Helper()
	s := &spec.Spec{}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	s.Default()
	for _, p := range s.Validate() {
		t.Fatalf("%v in\n%s", p, text)
	}
	return s
}
