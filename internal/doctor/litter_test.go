package doctor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"kvmnet/internal/spec"
)

func TestStaleFilesAreFoundAndOursGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name string, age time.Duration) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stale := put("networks/.new-17", time.Hour)
	gone := put("qemu-ifup.d/gone", time.Hour)
	kept := []string{put("networks/.new-18", 0), put("networks/lab.yaml", time.Hour), put("qemu-ifup.d/lab", time.Hour), gone}
	list, err := LookForLitter(dir, &spec.Spec{Networks: map[string]*spec.Network{"lab": {}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Path != stale || !list[0].Ours || list[1].Path != gone || list[1].Ours {
		t.Errorf("found %+v", list)
	}
	if err := Remove(list); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the stale file is there: %v", err)
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestNoDirectoriesNoLitter(t *testing.T) {
	t.Parallel()
	list, err := LookForLitter(filepath.Join(t.TempDir(), "none"), &spec.Spec{})
	if err != nil || len(list) != 0 {
		t.Errorf("found %v, %v", list, err)
	}
}
