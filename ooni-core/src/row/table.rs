//! The macro `row!`, which generates all code that depends on the columns of a table from [`schema`](super::schema).

/// Defines the struct of a row, its derivation, its columns in order, and a module that describes them.
macro_rules! row {
    (
        $(#[doc = $row_doc:literal])+
        $row:ident, $module:ident, ($($from:ident: $parts:ty),+);
        $(
            $(#[doc = $doc:literal])+
            $(#[serde($($serde:tt)*)])?
            $name:ident: $field:ty, $kind:ident $(in $unit:literal)?, $source:literal => $value:expr;
        )+
        $(
            beside
            $(
                $(#[doc = $beside_doc:literal])+
                $(#[serde($($beside_serde:tt)*)])?
                $beside:ident: $beside_type:ty => $beside_value:expr;
            )+
        )?
    ) => {
        $(#[doc = $row_doc])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $row {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)*)])?
                pub $name: $field,
            )+
            $($(
                $(#[doc = $beside_doc])+
                $(#[serde($($beside_serde)*)])?
                pub $beside: $beside_type,
            )+)?
        }

        impl $row {
            /// Derives the columns.
            pub(super) fn new($($from: $parts),+) -> $row {
                $row { $($name: $value,)+ $($($beside: $beside_value,)+)? }
            }

            /// The columns of the table in order, by their names.
            pub fn columns(&self) -> [(&'static str, $crate::row::column::Column<'_>); $module::LEN] {
                use $crate::row::column::ToColumn;
                [$((stringify!($name), self.$name.to_column(Type::$kind))),+]
            }

            /// Appends the columns as a JSON object in the reference's form (scoring spec §14).
            pub fn write_json(&self, out: &mut Vec<u8>) {
                use $crate::row::column::ToColumn;
                let columns = [$((concat!(",\"", stringify!($name), "\":"), self.$name.to_column(Type::$kind))),+];
                $crate::row::column::write_object(columns, out);
            }
        }

        #[doc = concat!("The columns of [`", stringify!($row), "`].")]
        ///
        /// Each constant in lower case is the position of the column with that name.
        pub mod $module {
            use $crate::row::column::{ColumnSchema, Type};

            /// The number of columns.
            pub const LEN: usize = NAMES.len();

            /// Their names, in order.
            pub const NAMES: [&str; [$(stringify!($name)),+].len()] = [$(stringify!($name)),+];

            /// The columns, in order.
            pub const COLUMNS: [ColumnSchema; LEN] = [$(
                ColumnSchema {
                    name: stringify!($name),
                    kind: Type::$kind,
                    unit: $crate::row::table::unit!($($unit)?),
                    source: $source,
                    doc: concat!($($doc),+).trim_ascii(),
                }
            ),+];

            #[allow(non_camel_case_types, clippy::enum_variant_names)] // the variants are names of columns
            enum Position {
                $($name),+
            }

            $(
                #[doc = concat!("The position of `", stringify!($name), "`.")]
                #[allow(non_upper_case_globals)] // named like the column
                pub const $name: usize = Position::$name as usize;
            )+
        }
    };
}

/// A unit that may be absent.
macro_rules! unit {
    () => {
        None
    };
    ($unit:literal) => {
        Some($unit)
    };
}

pub(super) use {row, unit};
