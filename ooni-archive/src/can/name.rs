//! [`CanName`]: the parts of the path of a can that its YAML reports need.

use std::path::Path;

/// Names of a can that become values of its measurements, because a YAML report has none of its own (formats spec §7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CanName {
    /// The folder of the can, which is named after the day on which the can was created.
    pub bucket_date: String,
    /// Folder and name of the can.
    pub file: String,
}

impl CanName {
    /// Those of a can at this path.
    pub fn of_path(path: &Path) -> CanName {
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let bucket_date = part(path.parent().and_then(Path::file_name));
        let file = format!("{bucket_date}/{}", part(path.file_name()));
        CanName { bucket_date, file }
    }
}

#[cfg(test)]
mod tests {
    use super::CanName;
    use std::path::Path;

    #[test]
    fn reports_are_named_after_their_can() {
        let of = |path| {
            let CanName { bucket_date, file } = CanName::of_path(Path::new(path));
            (bucket_date, file)
        };
        let expected = ("2014-02-20".to_owned(), "2014-02-20/f.yaml.lz4".to_owned());
        assert_eq!(of("canned/2014-02-20/f.yaml.lz4"), expected);
        assert_eq!(of("f.yaml.lz4"), (String::new(), "/f.yaml.lz4".to_owned()));
    }
}
