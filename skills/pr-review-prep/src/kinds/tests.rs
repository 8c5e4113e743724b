use super::*;

fn check(is: fn(&Kinds) -> bool, yes: &[&str], no: &[&str]) {
    for path in yes {
        assert!(is(&of(path)), "{path}: {:?}", of(path));
    }
    for path in no {
        assert!(!is(&of(path)), "{path}: {:?}", of(path));
    }
}

#[test]
fn tests_of_many_languages() {
    let yes = [
        "tests/a.rs",
        "src/foo/tests.rs",
        "pkg/a_test.go",
        "test_a.py",
        "a/conftest.py",
        "src/a.test.tsx",
        "src/a.spec.ts",
        "spec/a_spec.rb",
        "src/test/java/AThing.java",
        "src/ATest.java",
        "src/UserServiceIT.java",
        "A.Tests/ThingTests.cs",
        "web/__tests__/x.js",
        "cypress/e2e/a.cy.ts",
    ];
    check(
        |kinds| kinds.test,
        &yes,
        &[
            "src/latest.rs",
            "src/contest.py",
            "src/attestation.go",
            "src/Audit.java",
            "lib/testament.rb",
            "README.md",
        ],
    );
    check(
        |kinds| kinds.code,
        &["src/a.rs", "app/models/user.rb", "cmd/x/main.go", "web/a.vue"],
        &[
            "src/a_test.go",
            "README.md",
            "Cargo.toml",
            "vendor/a.go",
            "config/app.yml",
            "data.json",
        ],
    );
}

#[test]
fn authentication_but_not_authors() {
    let yes = [
        "src/auth.rs",
        "app/authentication/x.py",
        "lib/oauth2/client.rb",
        "src/authService.ts",
        "src/AuthorizationFilter.java",
        "src/login_form.tsx",
        "app/session_store.rb",
        "pkg/rbac/rules.go",
        "src/permissions.py",
        "src/jwt-verify.js",
    ];
    check(
        |kinds| kinds.auth,
        &yes,
        &[
            "src/author.rs",
            "src/authors/list.py",
            "docs/auth.md",
            "tests/auth_test.go",
            "src/catalog.rs",
            "src/blogin.rs",
        ],
    );
}

#[test]
fn configuration_migrations_and_the_rest() {
    check(
        |kinds| kinds.config,
        &[
            "application.yml",
            "src/main/resources/application-prod.yaml",
            "application.properties",
            ".env",
            "web/.env.production",
            "config/database.yml",
            "settings.py",
            "appsettings.Development.json",
            "conf/nginx.conf",
        ],
        &[
            "src/application.rs",
            "package.json",
            "tests/config/a.yml",
            "docs/config.md",
            ".github/workflows/a.yml",
            "Cargo.lock",
            "data/a.yml",
        ],
    );
    check(
        |kinds| kinds.migration,
        &[
            "db/migrate/20240101_add.rb",
            "app/migrations/0001_initial.py",
            "src/main/resources/db/migration/V1__init.sql",
            "schema.prisma",
            "db/structure.sql",
            "migrations/1.sql",
        ],
        &[
            "app/migrations/__init__.py",
            "docs/migrations/how.md",
            "src/migrate.rs",
            "queries/a.sql",
        ],
    );
    check(
        |kinds| kinds.ci,
        &[
            ".github/workflows/ci.yml",
            ".gitlab-ci.yml",
            "Jenkinsfile",
            ".circleci/config.yml",
        ],
        &["src/ci.rs", "github/workflows/x.yml"],
    );
    check(
        |kinds| kinds.container,
        &[
            "Dockerfile",
            "svc/Dockerfile.prod",
            "api.dockerfile",
            "docker-compose.yml",
            "compose.override.yaml",
        ],
        &["docs/docker.md", "src/compose.rs", "compose/a.yml"],
    );
    check(
        |kinds| kinds.infrastructure,
        &["infra/main.tf", "deploy/k8s/app.yaml", "charts/x/values.yaml", "prod.tfvars"],
        &["src/terraform.rs", "a.yaml"],
    );
    check(
        |kinds| kinds.lock,
        &["Cargo.lock", "web/yarn.lock", "go.sum"],
        &["Cargo.toml", "src/lock.rs", "cargo.lock.md"],
    );
    check(
        |kinds| kinds.manifest,
        &["Cargo.toml", "web/package.json", "requirements-dev.txt", "pom.xml"],
        &["package-lock.json", "node_modules/x/package.json"],
    );
    check(
        |kinds| kinds.vendored,
        &[
            "vendor/x/a.go",
            "node_modules/x.js",
            "dist/app.js",
            "api.pb.go",
            "a.min.js",
            "x.generated.ts",
        ],
        &["src/vendor.rs", "src/distance.rs"],
    );
}
