// Package castellan_test is the repository looking after itself: the direction of imports,
// documentation, links, and the budgets of the house. It has no exception list.
package castellan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "castellan/"

// rings are the folders of the program from the inside out. A folder imports folders of
// rings before its own, and no other.
var rings = []struct {
	name    string
	folders []string
}{
	{"0 terms", []string{"internal/fault", "internal/ident", "internal/role", "internal/defaults", "internal/hostname", "internal/jsontext", "internal/scratch"}},
	{"1 what is asked of a database, and small rules", []string{
		"internal/store", "internal/call", "internal/expiry", "internal/search", "internal/egress", "internal/origin", "internal/assertion", "internal/throttle",
		"internal/flight",
	}},
	{"2 engines, the log, secrets", []string{
		"internal/store/sqlite", "internal/store/postgres", "internal/idgrant", "internal/eventlog", "internal/vault", "internal/once", "internal/dpop",
		"internal/listing",
	}},
	{"2 what several nouns have in common", []string{"internal/credential"}},
	{"3 nouns", []string{
		"internal/instance", "internal/org", "internal/user", "internal/usermetadata", "internal/pat", "internal/machinekey",
		"internal/project", "internal/app", "internal/authorization", "internal/member", "internal/systemuser",
		"internal/quota", "internal/limit", "internal/feature", "internal/policy",
		"internal/delivery",
		"internal/session", "internal/spent",
		"internal/audit",
		"internal/webkey",
	}},
	{"4 what needs several nouns", []string{"internal/journal", "internal/provision", "internal/roster", "internal/usage", "internal/claims", "internal/removal", "internal/fresh"}},
	{"4 what signs", []string{"internal/signing"}},
	{"4 what tokens are worth", []string{"internal/token"}},
	{"4 who may enter", []string{"internal/access"}},
	{"5 the wire: protocols", []string{"internal/api/transport", "internal/api/openapi", "internal/api/health", "internal/api/bind", "internal/api/v1", "internal/api/v2", "internal/lapse"}},
	{"5 the wire: services", []string{"internal/api/dispatch", "internal/api/system", "internal/api/lifecycle", "internal/api/instances", "internal/api/admin", "internal/api/users", "internal/api/auth", "internal/api/apps", "internal/api/authorizations", "internal/api/permissions", "internal/api/projects", "internal/api/orgs", "internal/api/webkeys"}},
	{"5 the wire: issuers", []string{"internal/oidc"}},
	{"6 the command line: terminal and files", []string{"internal/terminal", "internal/files"}},
	{"6 the command line: clients of the API", []string{"internal/client"}},
	{"6 the command line: commands", []string{"internal/command"}},
	{"6 composition", []string{"internal/server"}},
	{"7 the program", []string{"cmd/castellan"}},
}

// support are packages for tests; nothing that is shipped imports them.
var support = []string{"internal/dpop/dpoptest", "internal/assertion/assertiontest", "internal/store/storetest", "internal/eventlog/logtest", "internal/terminal/terminaltest"}

// apart are trees outside the rings: generated code, which the wire and what is around it
// may import; tools, benchmarks and black-box tests, which import what they look at.
var apart = []string{"gen", "tools", "bench", "tests", "."}

// firstOnWire is the ring from which on generated code may be imported.
var firstOnWire = slices.IndexFunc(rings, func(r struct {
	name    string
	folders []string
}) bool {
	return strings.HasPrefix(r.name, "5 ")
})

func ringOf(folder string) int {
	return slices.IndexFunc(rings, func(r struct {
		name    string
		folders []string
	}) bool {
		return slices.Contains(r.folders, folder)
	})
}

func isApart(folder string) bool {
	top, _, _ := strings.Cut(folder, "/")
	return slices.Contains(apart, top)
}

// source is one Go file of the repository.
type source struct {
	path   string // with slashes, from the root
	folder string
	test   bool
	ast    *ast.File
	set    *token.FileSet
}

// sources parses every Go file that is not generated.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(p)
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"gen", "bin", "node_modules", "testdata"}, d.Name())) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{
			path: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), ast: file, set: set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// imports returns the folders of this repository that a file imports.
func (s source) imports() []string {
	var folders []string
	for _, spec := range s.ast.Imports {
		if folder, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ok {
			folders = append(folders, folder)
		}
	}
	return folders
}

func TestImportsPointInward(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || isApart(s.folder) || slices.Contains(support, s.folder) {
			continue
		}
		ring := ringOf(s.folder)
		if ring < 0 {
			t.Errorf("%s: the folder is in no ring; give it a place in arch_test.go and ARCHITECTURE.md", s.path)
			continue
		}
		for _, folder := range s.imports() {
			switch {
			case slices.Contains(support, folder):
				t.Errorf("%s imports %s, which is for tests", s.path, folder)
			case strings.HasPrefix(folder, "gen/"):
				if ring < firstOnWire {
					t.Errorf("%s (ring %s) imports %s: generated code stays on the wire", s.path, rings[ring].name, folder)
				}
			case ringOf(folder) < 0:
				t.Errorf("%s imports %s, which is in no ring", s.path, folder)
			case ringOf(folder) >= ring:
				t.Errorf("%s (ring %s) imports %s (ring %s): imports point inward", s.path, rings[ring].name, folder, rings[ringOf(folder)].name)
			}
		}
	}
}

func TestRingsNameFoldersThatExist(t *testing.T) {
	have := make(map[string]bool)
	for _, s := range sources(t) {
		have[s.folder] = true
	}
	for _, r := range rings {
		for _, f := range r.folders {
			if !have[f] {
				t.Errorf("ring %s names %s, which has no Go file", r.name, f)
			}
		}
	}
	for _, f := range support {
		if !have[f] {
			t.Errorf("support names %s, which has no Go file", f)
		}
	}
}

// TestTimeAndRandomnessAreInjected is law 9 of the design: inside ring 5 nothing asks the
// machine for the time, sleeps, or draws random numbers of the weak kind. Engines are the
// edge to a driver and a network, which know deadlines of their own; they decide nothing.
func TestTimeAndRandomnessAreInjected(t *testing.T) {
	banned := map[string][]string{
		"time":         {"Now", "Sleep", "Since", "Until", "After", "Tick"},
		"math/rand":    nil, // every name
		"math/rand/v2": nil,
	}
	for _, s := range sources(t) {
		ring := ringOf(s.folder)
		engine := path.Dir(s.folder) == "internal/store"
		if s.test || ring < 0 || ring >= firstOnWire || engine || s.path == "internal/ident/ident.go" {
			continue // ident.SystemClock is where the time comes from
		}
		names := make(map[string]string) // local name -> path
		for _, spec := range s.ast.Imports {
			p := strings.Trim(spec.Path.Value, `"`)
			if _, watched := banned[p]; watched {
				name := path.Base(strings.TrimSuffix(p, "/v2"))
				if spec.Name != nil {
					name = spec.Name.Name
				}
				names[name] = p
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok || names[x.Name] == "" {
				return true
			}
			if list := banned[names[x.Name]]; list == nil || slices.Contains(list, sel.Sel.Name) {
				t.Errorf("%s: %s.%s: take an ident.Clock, or an io.Reader for randomness", s.set.Position(n.Pos()), x.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// TestNoTemplates: a template calls methods by names that only it knows, so a program that can execute one
// keeps all exported methods of all packages: some eight megabytes.
func TestNoTemplates(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, spec := range s.ast.Imports {
			if p := strings.Trim(spec.Path.Value, `"`); p == "html/template" || p == "text/template" {
				t.Errorf("%s imports %s", s.path, p)
			}
		}
	}
}
