package specfile

import (
	"os"
	"path/filepath"
	"testing"
)

// Every example can be applied as it is, and again after its defaults are filled in.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(names) < 11 {
		t.Fatalf("found %d examples: %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := Parse(filepath.Base(name), text)
		if got := report(f.Validate(nil)); got != "" {
			t.Error(got)
		}
		roundTrip(t, f.Spec)
		f.Spec.Default()
		if problems := f.Spec.Validate(); problems != nil {
			t.Errorf("%s after Default: %v", name, problems)
		}
		roundTrip(t, f.Spec)
	}
}
