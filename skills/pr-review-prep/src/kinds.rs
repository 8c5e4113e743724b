//! What a file is, told from its path alone. Conventions of many languages; where they
//! disagree, the more careful reading wins.

/// What a file is for a reviewer. A path can be several of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Program text that is no test.
    pub code: bool,
    /// A test.
    pub test: bool,
    /// Someone else's, or made by a tool.
    pub vendored: bool,
    /// Configuration of the application.
    pub config: bool,
    /// A database migration or schema.
    pub migration: bool,
    /// Authentication, sessions, permissions.
    pub auth: bool,
    /// A pipeline.
    pub ci: bool,
    /// A container image or composition.
    pub container: bool,
    /// Infrastructure as code.
    pub infrastructure: bool,
    /// Names dependencies.
    pub manifest: bool,
    /// Pins dependencies.
    pub lock: bool,
}

/// Lock files and the manifests that they pin.
const LOCKS: &[(&str, &[&str])] = &[
    ("Cargo.lock", &["Cargo.toml"]),
    ("Gemfile.lock", &["Gemfile"]),
    ("Package.resolved", &["Package.swift"]),
    ("Pipfile.lock", &["Pipfile"]),
    ("bun.lock", &["package.json"]),
    ("bun.lockb", &["package.json"]),
    ("composer.lock", &["composer.json"]),
    ("deno.lock", &["deno.json", "deno.jsonc", "package.json"]),
    ("go.sum", &["go.mod"]),
    ("mix.lock", &["mix.exs"]),
    ("npm-shrinkwrap.json", &["package.json"]),
    ("package-lock.json", &["package.json"]),
    ("pdm.lock", &["pyproject.toml"]),
    ("pnpm-lock.yaml", &["package.json"]),
    ("poetry.lock", &["pyproject.toml"]),
    ("pubspec.lock", &["pubspec.yaml"]),
    ("uv.lock", &["pyproject.toml"]),
    ("yarn.lock", &["package.json"]),
];

/// Manifests without a lock file of a known name beside them.
const MANIFESTS: &[&str] = &["build.gradle", "build.gradle.kts", "pom.xml", "setup.cfg", "setup.py"];

const CODE: &[&str] = &[
    "bash", "c", "cc", "clj", "cljs", "cpp", "cs", "cxx", "dart", "erl", "ex", "exs", "fs", "go", "groovy", "h", "hpp", "hs",
    "java", "jl", "js", "jsx", "kt", "kts", "lua", "m", "mjs", "ml", "mm", "php", "pl", "ps1", "py", "r", "rb", "rs", "scala",
    "sh", "sql", "svelte", "swift", "ts", "tsx", "vb", "vue", "zig",
];

const TEST_FOLDERS: &[&str] = &[
    "__specs__",
    "__tests__",
    "androidtest",
    "cypress",
    "e2e",
    "spec",
    "specs",
    "test",
    "testdata",
    "testing",
    "tests",
    "unittests",
];

const VENDORED_FOLDERS: &[&str] = &[
    "bower_components",
    "dist",
    "generated",
    "node_modules",
    "site-packages",
    "third-party",
    "third_party",
    "vendor",
    "vendored",
];

const AUTH_WORDS: &[&str] = &[
    "acl",
    "auth",
    "authentication",
    "authenticator",
    "authn",
    "authorization",
    "authz",
    "credential",
    "credentials",
    "iam",
    "jwt",
    "login",
    "logout",
    "mfa",
    "oauth",
    "oauth2",
    "oidc",
    "otp",
    "passwd",
    "password",
    "passwords",
    "permission",
    "permissions",
    "policy",
    "policies",
    "rbac",
    "role",
    "roles",
    "saml",
    "session",
    "sessions",
    "signin",
    "sso",
    "totp",
    "webauthn",
];

const CONFIG_STEMS: &[&str] = &[
    "application",
    "appsettings",
    "bootstrap",
    "config",
    "configuration",
    "env",
    "local_settings",
    "settings",
];
const CONFIG_ENDS: &[&str] = &[
    "cfg",
    "conf",
    "config",
    "ini",
    "json",
    "properties",
    "py",
    "rb",
    "toml",
    "xml",
    "yaml",
    "yml",
];

/// The lock files that could pin this manifest.
pub fn locks_of(manifest: &str) -> impl Iterator<Item = &'static str> {
    LOCKS
        .iter()
        .filter(move |(_, manifests)| manifests.contains(&manifest))
        .map(|(lock, _)| *lock)
}

/// The manifests that this lock file could pin.
pub fn manifests_of(lock: &str) -> &'static [&'static str] {
    LOCKS
        .iter()
        .find(|(name, _)| *name == lock)
        .map_or(&[], |(_, manifests)| manifests)
}

/// The folder and the file's name.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// What the file at this path is.
pub fn of(path: &str) -> Kinds {
    let lower = path.to_lowercase();
    let (_, real_name) = split(path);
    let (folder, name) = split(&lower);
    let folders: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let (stem, end) = name
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .unwrap_or((name, ""));
    let below = |names: &[&str]| folders.iter().any(|part| names.contains(part));

    let lock = !manifests_of(real_name).is_empty();
    let manifest =
        LOCKS.iter().any(|(_, names)| names.contains(&real_name)) || MANIFESTS.contains(&name) || is_requirements(name);
    let vendored = below(VENDORED_FOLDERS) || is_generated(name);
    let test = below(TEST_FOLDERS) || is_test_name(real_name, stem);
    let migration = is_migration(&folders, name, end);
    let ci = is_ci(&lower, name);
    let container = is_container(name, stem, end);
    let infrastructure = is_infrastructure(&folders, name, end);
    let source = CODE.contains(&end) && !vendored && !manifest;
    let config = !lock && !manifest && !test && !ci && !container && !infrastructure && is_config(&folders, name, stem, end);
    Kinds {
        code: source && !test && !migration && !config,
        test: test && !vendored,
        vendored,
        config: config && !vendored,
        migration: migration && !vendored && !test,
        auth: !vendored && !test && is_auth(&folders, stem) && !is_prose(end),
        ci,
        container: container && !vendored,
        infrastructure: infrastructure && !vendored,
        manifest: manifest && !vendored,
        lock,
    }
}

fn is_requirements(name: &str) -> bool {
    name.starts_with("requirements") && name.ends_with(".txt")
}

fn is_prose(end: &str) -> bool {
    matches!(
        end,
        "md" | "mdx" | "rst" | "txt" | "adoc" | "png" | "jpg" | "jpeg" | "svg" | "gif" | "css" | "scss"
    )
}

fn is_generated(name: &str) -> bool {
    let ends = [
        ".min.js",
        ".min.css",
        ".pb.go",
        ".pb.cc",
        ".pb.h",
        "_pb2.py",
        "_pb2_grpc.py",
        ".g.dart",
        ".freezed.dart",
        ".js.map",
        ".designer.cs",
    ];
    ends.iter().any(|end| name.ends_with(end)) || name.contains(".generated.") || name.contains("_generated.")
}

fn is_test_name(real_name: &str, stem: &str) -> bool {
    let camel = ["Test", "Tests", "Spec", "Specs", "IT", "TestCase"];
    let real_stem = real_name.split('.').next().unwrap_or_default();
    let by_camel = camel.iter().any(|end| {
        let rest = real_stem.strip_suffix(end).unwrap_or_default();
        // `AUDIT` is no integration test.
        !rest.is_empty() && (*end != "IT" || rest.ends_with(|c: char| c.is_lowercase()))
    });
    let by_end = [
        "_test", "_tests", "_spec", "-test", "-spec", ".test", ".tests", ".spec", ".cy", ".e2e", ".stories",
    ];
    by_camel
        || stem.starts_with("test_")
        || matches!(stem, "conftest" | "test" | "tests")
        || by_end.iter().any(|end| stem.ends_with(end))
}

fn is_migration(folders: &[&str], name: &str, end: &str) -> bool {
    let folder = folders.iter().any(|part| {
        matches!(
            *part,
            "migrate" | "migrations" | "flyway" | "liquibase" | "alembic" | "changelogs"
        )
    });
    let schema = matches!(name, "schema.rb" | "structure.sql" | "schema.sql" | "schema.prisma");
    // Flyway: V12__name.sql, R__name.sql.
    let flyway = end == "sql" && name.contains("__") && name.starts_with(['v', 'r', 'u']);
    (folder && name != "__init__.py" && !is_prose(end)) || schema || flyway
}

fn is_ci(path: &str, name: &str) -> bool {
    let starts = [
        ".github/workflows/",
        ".github/actions/",
        ".circleci/",
        ".buildkite/",
        ".gitlab/ci/",
        ".teamcity/",
        ".tekton/",
    ];
    let names = [
        ".gitlab-ci.yml",
        ".travis.yml",
        "jenkinsfile",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        "appveyor.yml",
        ".drone.yml",
        "cloudbuild.yaml",
        "codeowners",
    ];
    starts.iter().any(|start| path.starts_with(start)) || names.contains(&name)
}

fn is_container(name: &str, stem: &str, end: &str) -> bool {
    let docker = ["dockerfile", "containerfile"]
        .iter()
        .any(|word| name == *word || name.starts_with(&format!("{word}.")) || end == *word);
    let compose = matches!(end, "yml" | "yaml")
        && ["docker-compose", "compose"]
            .iter()
            .any(|word| stem == *word || stem.starts_with(&format!("{word}.")) || stem.starts_with(&format!("{word}-")));
    docker || compose || name == ".dockerignore"
}

fn is_infrastructure(folders: &[&str], name: &str, end: &str) -> bool {
    let below = |names: &[&str]| folders.iter().any(|part| names.contains(part));
    let terraform = matches!(end, "tf" | "tfvars" | "hcl" | "bicep");
    let yaml = matches!(end, "yml" | "yaml" | "tpl" | "json");
    let orchestration = yaml
        && below(&[
            "k8s",
            "kubernetes",
            "helm",
            "charts",
            "kustomize",
            "manifests",
            "ansible",
            "playbooks",
            "cloudformation",
        ]);
    terraform
        || orchestration
        || matches!(
            name,
            "chart.yaml" | "kustomization.yaml" | "kustomization.yml" | "pulumi.yaml" | "serverless.yml"
        )
}

fn is_config(folders: &[&str], name: &str, stem: &str, end: &str) -> bool {
    if name == ".env" || name.starts_with(".env.") || end == "env" {
        return true;
    }
    // `application-prod.yml`, `appsettings.Development.json`, `config.toml`.
    let first = stem.split(['-', '.']).next().unwrap_or_default();
    let named = CONFIG_ENDS.contains(&end) && CONFIG_STEMS.contains(&first);
    let below = folders
        .iter()
        .any(|part| matches!(*part, "config" | "configs" | "configuration" | "conf" | "settings"));
    named || (below && (CONFIG_ENDS.contains(&end) || end.is_empty()))
}

/// Any part of the path, cut at `-`, `_` and `.`, is one of the words; or the path's part
/// begins with `auth` or `oauth`, as `authService` does, but `author` does not.
fn is_auth(folders: &[&str], stem: &str) -> bool {
    folders.iter().chain(std::iter::once(&stem)).any(|part| {
        part.split(['-', '_', '.', ' ']).any(|word| {
            let begins = (word.starts_with("auth") && !word.starts_with("author")) || word.starts_with("oauth");
            AUTH_WORDS.contains(&word)
                || begins
                || word.starts_with("authoriz")
                || word.starts_with("login")
                || word.starts_with("session")
                || word.starts_with("permission")
        })
    })
}

#[cfg(test)]
mod tests;
