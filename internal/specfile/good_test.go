package specfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each NAME.yaml of testdata/good is valid, and NAME.yaml.golden is its
// canonical form, before and after Default.
func TestGoodFilesHaveACanonicalForm(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(names) < 5 {
		t.Fatalf("found %d good files: %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := Parse(name, text)
			if got := report(f.Validate(nil)); got != "" {
				t.Fatal(got)
			}
			roundTrip(t, f.Spec)
			written := string(Format(f.Spec))
			f.Spec.Default()
			if problems := f.Spec.Validate(); problems != nil {
				t.Errorf("after Default: %v", problems)
			}
			roundTrip(t, f.Spec)
			golden(t, name+".golden", written+"# with defaults\n"+string(Format(f.Spec)))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestOneObjectFileCanBeAppliedAgain(t *testing.T) {
	t.Parallel()
	f, problems := Parse("lab.yaml", []byte("networks: {lab: {mode: nat, subnets: [{address: 10.0.0.1/24}]}}"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := "networks:\n  lab:\n    mode: nat\n    subnets:\n      - {address: 10.0.0.1/24}\n"
	if got := string(Format(f.Spec)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestNothingIsWrittenAsAnEmptyMapping(t *testing.T) {
	t.Parallel()
	f, _ := Parse("empty.yaml", []byte("{}"))
	if got := strings.TrimSpace(string(Format(f.Spec))); got != "{}" {
		t.Errorf("got %q", got)
	}
}
