//! Every outcome of reading a SKILL.md, by a stable id: one enum, one table.

use serde::{Serialize, Serializer};

use super::Severity::{self, Error, Note, Warning};

/// A row of the table: what a code is called, how much it weighs, what it means.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The kebab-case id, stable across versions.
    pub id: &'static str,
    /// The weight in the loader; `None` where only the lint looks.
    pub load: Option<Severity>,
    /// The weight in the lint.
    pub lint: Severity,
    /// One line for documentation.
    pub meaning: &'static str,
}

/// A rule that the loader and the lint both apply.
const fn both(id: &'static str, load: Severity, lint: Severity, meaning: &'static str) -> Rule {
    Rule {
        id,
        load: Some(load),
        lint,
        meaning,
    }
}

/// A rule of the lint alone.
const fn only_lint(id: &'static str, lint: Severity, meaning: &'static str) -> Rule {
    Rule {
        id,
        load: None,
        lint,
        meaning,
    }
}

/// One kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "the table in `rule` says what each one means, in words that users see too"
)]
pub enum Code {
    FileUnreadable,
    FileTooLarge,
    FileEmpty,
    FileName,
    NotUtf8,
    Utf16,
    ByteOrderMark,
    ControlCharacter,
    LeadingBlankLines,
    NoFrontMatter,
    FrontMatterNotClosed,
    FrontMatterDelimiter,
    FrontMatterEmpty,
    FrontMatterTooLarge,
    FrontMatterNotAMap,
    DashesInFrontMatter,
    MoreThanOneDocument,
    TabIndent,
    TabInFrontMatter,
    UnquotedValue,
    FlowRepaired,
    SpaceAfterColon,
    YamlSalvaged,
    DuplicateKey,
    KeyNotText,
    TooManyAliases,
    TooDeep,
    TooManyNodes,
    FlowStyle,
    AnchorOrTag,
    UnevenIndentation,
    NameMissing,
    NameInvalid,
    NameTooLong,
    NameDiffersFromFolder,
    DescriptionMissing,
    DescriptionTooLong,
    CompatibilityTooLong,
    WrongType,
    VersionMissing,
    VersionNotSemver,
    FieldBeyondSpec,
    UnknownField,
    MetadataUnreadable,
    OldMetadataName,
    BinUnusable,
    BinNotRequested,
    ContractType,
    UnknownType,
    UnusualType,
    PropertyName,
    DuplicateProperty,
    SchemaInvalid,
    SchemaReference,
    SchemaTooLarge,
    ExactlyOneOf,
    ClawType,
    UnknownClawKey,
    ModelUse,
    FilePath,
    FileAccess,
    CapabilityName,
    ConfigKey,
    LimitZero,
    LimitAboveCeiling,
    OutputsMissing,
    InputNotMentioned,
    SecretInFrontMatter,
    BodyEmpty,
    BodyLong,
    BrokenLink,
    LinkOutsideSkill,
    MoreFindings,
}

impl Code {
    /// Every code, in the order in which a file is read.
    pub const ALL: &'static [Code] = &[
        Code::FileUnreadable,
        Code::FileTooLarge,
        Code::FileEmpty,
        Code::FileName,
        Code::NotUtf8,
        Code::Utf16,
        Code::ByteOrderMark,
        Code::ControlCharacter,
        Code::LeadingBlankLines,
        Code::NoFrontMatter,
        Code::FrontMatterNotClosed,
        Code::FrontMatterDelimiter,
        Code::FrontMatterEmpty,
        Code::FrontMatterTooLarge,
        Code::FrontMatterNotAMap,
        Code::DashesInFrontMatter,
        Code::MoreThanOneDocument,
        Code::TabIndent,
        Code::TabInFrontMatter,
        Code::UnquotedValue,
        Code::FlowRepaired,
        Code::SpaceAfterColon,
        Code::YamlSalvaged,
        Code::DuplicateKey,
        Code::KeyNotText,
        Code::TooManyAliases,
        Code::TooDeep,
        Code::TooManyNodes,
        Code::FlowStyle,
        Code::AnchorOrTag,
        Code::UnevenIndentation,
        Code::NameMissing,
        Code::NameInvalid,
        Code::NameTooLong,
        Code::NameDiffersFromFolder,
        Code::DescriptionMissing,
        Code::DescriptionTooLong,
        Code::CompatibilityTooLong,
        Code::WrongType,
        Code::VersionMissing,
        Code::VersionNotSemver,
        Code::FieldBeyondSpec,
        Code::UnknownField,
        Code::MetadataUnreadable,
        Code::OldMetadataName,
        Code::BinUnusable,
        Code::BinNotRequested,
        Code::ContractType,
        Code::UnknownType,
        Code::UnusualType,
        Code::PropertyName,
        Code::DuplicateProperty,
        Code::SchemaInvalid,
        Code::SchemaReference,
        Code::SchemaTooLarge,
        Code::ExactlyOneOf,
        Code::ClawType,
        Code::UnknownClawKey,
        Code::ModelUse,
        Code::FilePath,
        Code::FileAccess,
        Code::CapabilityName,
        Code::ConfigKey,
        Code::LimitZero,
        Code::LimitAboveCeiling,
        Code::OutputsMissing,
        Code::InputNotMentioned,
        Code::SecretInFrontMatter,
        Code::BodyEmpty,
        Code::BodyLong,
        Code::BrokenLink,
        Code::LinkOutsideSkill,
        Code::MoreFindings,
    ];

    /// The table.
    pub const fn rule(self) -> Rule {
        match self {
            Code::FileUnreadable => both("file-unreadable", Error, Error, "the file cannot be opened or read"),
            Code::FileTooLarge => both("file-too-large", Error, Error, "the file is larger than 2 MiB"),
            Code::FileEmpty => both("file-empty", Error, Error, "the file holds nothing but blanks"),
            Code::FileName => only_lint("file-name", Note, "the file is not named `SKILL.md` in capitals"),
            Code::NotUtf8 => both("not-utf8", Warning, Error, "bytes that are not UTF-8, read as Windows-1252"),
            Code::Utf16 => both("utf-16", Warning, Error, "the file is UTF-16"),
            Code::ByteOrderMark => both("byte-order-mark", Warning, Error, "the file begins with a byte order mark"),
            Code::ControlCharacter => both(
                "control-character",
                Warning,
                Error,
                "a control character in the front matter, read as a blank",
            ),
            Code::LeadingBlankLines => both("leading-blank-lines", Warning, Error, "blank lines before the front matter"),
            Code::NoFrontMatter => both("no-front-matter", Error, Error, "the file does not begin with `---`"),
            Code::FrontMatterNotClosed => both(
                "front-matter-not-closed",
                Error,
                Error,
                "no second `---` ends the front matter",
            ),
            Code::FrontMatterDelimiter => both(
                "front-matter-delimiter",
                Warning,
                Error,
                "a delimiter other than a line `---`",
            ),
            Code::FrontMatterEmpty => both("front-matter-empty", Warning, Error, "nothing between the two `---`"),
            Code::FrontMatterTooLarge => both(
                "front-matter-too-large",
                Error,
                Error,
                "the front matter is larger than 256 KiB",
            ),
            Code::FrontMatterNotAMap => both(
                "front-matter-not-a-map",
                Error,
                Error,
                "the front matter is a list or text, not `key: value`",
            ),
            Code::DashesInFrontMatter => only_lint(
                "dashes-in-front-matter",
                Error,
                "`---` within a value, where some readers stop",
            ),
            Code::MoreThanOneDocument => both(
                "more-than-one-document",
                Warning,
                Error,
                "`...` ends the YAML early; the rest is left out",
            ),
            Code::TabIndent => both("tab-indent", Warning, Error, "tabs as indentation"),
            Code::TabInFrontMatter => only_lint(
                "tab-in-front-matter",
                Warning,
                "a tab in the front matter, which strict readers refuse",
            ),
            Code::UnquotedValue => both("unquoted-value", Warning, Error, "a value that YAML can only read in quotes"),
            Code::FlowRepaired => both("flow-repaired", Warning, Error, "a `{}` or `[]` value that YAML cannot read"),
            Code::SpaceAfterColon => both("space-after-colon", Warning, Error, "`key:value` without a blank"),
            Code::YamlSalvaged => both("yaml-salvaged", Warning, Error, "not YAML; read line by line"),
            Code::DuplicateKey => both("duplicate-key", Warning, Error, "a key twice in one map; the last one counts"),
            Code::KeyNotText => both("key-not-text", Warning, Error, "a key that is a list, a map or nothing"),
            Code::TooManyAliases => both("too-many-aliases", Error, Error, "anchors and aliases that expand too far"),
            Code::TooDeep => both("too-deep", Error, Error, "lists and maps nested deeper than 64"),
            Code::TooManyNodes => both("too-many-nodes", Error, Error, "more than 20000 values in the front matter"),
            Code::FlowStyle => only_lint("flow-style", Note, "`{}` or `[]` values, which strict readers refuse"),
            Code::AnchorOrTag => only_lint("anchor-or-tag", Warning, "YAML anchors or tags, which strict readers refuse"),
            Code::UnevenIndentation => only_lint(
                "uneven-indentation",
                Note,
                "sibling maps indented differently, which strict readers refuse",
            ),
            Code::NameMissing => both("name-missing", Warning, Error, "no `name`; the folder's is used"),
            Code::NameInvalid => both(
                "name-invalid",
                Warning,
                Error,
                "a `name` other than small letters, digits and single hyphens",
            ),
            Code::NameTooLong => both("name-too-long", Warning, Error, "a `name` of more than 64 characters"),
            Code::NameDiffersFromFolder => both("name-differs-from-folder", Warning, Error, "a `name` other than the folder's"),
            Code::DescriptionMissing => both("description-missing", Warning, Error, "no `description`"),
            Code::DescriptionTooLong => both(
                "description-too-long",
                Warning,
                Error,
                "a `description` of more than 1024 characters",
            ),
            Code::CompatibilityTooLong => both(
                "compatibility-too-long",
                Warning,
                Error,
                "a `compatibility` of more than 500 characters",
            ),
            Code::WrongType => both(
                "wrong-type",
                Warning,
                Error,
                "a list or map where text belongs, or the reverse",
            ),
            Code::VersionMissing => both("version-missing", Note, Note, "no `version`; `0.0.0` is used"),
            Code::VersionNotSemver => both("version-not-semver", Warning, Warning, "a `version` that is not x.y.z"),
            Code::FieldBeyondSpec => only_lint(
                "field-beyond-spec",
                Note,
                "a field that hosts know and the specification does not",
            ),
            Code::UnknownField => only_lint("unknown-field", Warning, "a field that no host is known to read"),
            Code::MetadataUnreadable => both(
                "metadata-unreadable",
                Warning,
                Error,
                "`metadata` that is neither a map nor JSON",
            ),
            Code::OldMetadataName => only_lint("old-metadata-name", Note, "an older name of `metadata.openclaw`"),
            Code::BinUnusable => both(
                "bin-unusable",
                Warning,
                Warning,
                "a command name that no `exec.…` can stand for",
            ),
            Code::BinNotRequested => only_lint(
                "bin-not-requested",
                Warning,
                "`requires.bins` names what `metadata.claw` does not ask for",
            ),
            Code::ContractType => both("contract-type", Error, Error, "`inputs` or `outputs` of a wrong form"),
            Code::UnknownType => both("unknown-type", Error, Error, "a type that is none of the seven"),
            Code::UnusualType => both("unusual-type", Warning, Warning, "another word for one of the seven types"),
            Code::PropertyName => both("property-name", Error, Error, "an input or output without a usable name"),
            Code::DuplicateProperty => both("duplicate-property", Error, Error, "an input or output declared twice"),
            Code::SchemaInvalid => both("schema-invalid", Error, Error, "a JSON Schema that does not compile"),
            Code::SchemaReference => both(
                "schema-reference",
                Error,
                Error,
                "a `$ref` to elsewhere, to nothing, or to itself",
            ),
            Code::SchemaTooLarge => both("schema-too-large", Error, Error, "a JSON Schema that expands too far"),
            Code::ExactlyOneOf => both(
                "exactly-one-of",
                Error,
                Error,
                "`exactly_one_of` that does not fit the inputs",
            ),
            Code::ClawType => both("claw-type", Error, Error, "a value of a wrong form in `metadata.claw`"),
            Code::UnknownClawKey => both(
                "unknown-claw-key",
                Warning,
                Warning,
                "a key that `metadata.claw` does not have",
            ),
            Code::ModelUse => both("model-use", Error, Error, "a model use that is not a plain name"),
            Code::FilePath => both("file-path", Error, Error, "a file grant that is not a plain relative name"),
            Code::FileAccess => both("file-access", Error, Error, "an access other than `read` and `read-write`"),
            Code::CapabilityName => both("capability-name", Error, Error, "a capability that is not a plain name"),
            Code::ConfigKey => both("config-key", Error, Error, "a config key that is not a plain name"),
            Code::LimitZero => both("limit-zero", Error, Error, "a limit of nothing"),
            Code::LimitAboveCeiling => both("limit-above-ceiling", Warning, Error, "a limit above the ceiling"),
            Code::OutputsMissing => only_lint("outputs-missing", Warning, "inputs are declared and outputs are not"),
            Code::InputNotMentioned => only_lint("input-not-mentioned", Note, "an input that the body never names"),
            Code::SecretInFrontMatter => {
                only_lint("secret-in-front-matter", Error, "a value that looks like a key or a password")
            }
            Code::BodyEmpty => only_lint("body-empty", Warning, "no instructions below the front matter"),
            Code::BodyLong => only_lint("body-long", Note, "a body of more than 500 lines"),
            Code::BrokenLink => only_lint("broken-link", Warning, "a relative link to a file that is not there"),
            Code::LinkOutsideSkill => only_lint(
                "link-outside-skill",
                Warning,
                "a relative link that leaves the skill's folder",
            ),
            Code::MoreFindings => both("more-findings", Note, Note, "findings that are not shown"),
        }
    }

    /// The kebab-case id.
    pub const fn id(self) -> &'static str {
        self.rule().id
    }

    /// The weight in the loader.
    pub fn on_load(self) -> Option<Severity> {
        self.rule().load
    }

    /// The weight in the lint.
    pub fn on_lint(self) -> Option<Severity> {
        Some(self.rule().lint)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
