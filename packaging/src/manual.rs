//! Man pages: one for each command, from its flags, and one for the configuration, from the commented sample.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

/// What the pages of the programs have that no flag tells.
const MORE: [(&str, &str); 2] =
    [("doghouse", include_str!("../man/doghouse.8")), ("fido", include_str!("../man/fido.1"))];

/// What stands before the sample.
const CONFIGURATION: &str = include_str!("../man/doghouse.toml.5");

const SAMPLE: &str = include_str!("../doghouse.toml");

/// Writes the page of a program and those of all its commands.
pub(crate) fn write_program(program: Command, section: &str, date: &str, folder: &Path) -> io::Result<()> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut commands = vec![(program, Vec::new())];
    while let Some((command, above)) = commands.pop() {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let source = format!("Doghouse {}", env!("CARGO_PKG_VERSION"));
        let page = Man::new(command.clone()).section(section).date(date).source(source);
        let mut file = create(folder, &page.get_filename())?;
        page.render_title(&mut file)?;
        page.render_name_section(&mut file)?;
        page.render_synopsis_section(&mut file)?;
        page.render_description_section(&mut file)?;
        page.render_options_section(&mut file)?;
        let below: Vec<&Command> = command.get_subcommands().collect();
        if !below.is_empty() {
            page.render_subcommands_section(&mut file)?;
        }
        match MORE.iter().find(|(program, _)| *program == name) {
            Some((_, more)) => file.write_all(more.as_bytes())?,
            None => see_also(&above, section).to_writer(&mut file)?,
        }
        file.flush()?;
        let above = [above, vec![name]].concat();
        commands.extend(below.into_iter().map(|below| (below.clone(), above.clone())));
    }
    Ok(())
}

fn see_also(pages: &[String], section: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let all = pages.iter().flat_map(|page| [bold(page.clone()), roman(format!("({section}) "))]);
    roff.text(all.collect::<Vec<_>>());
    roff
}

/// Writes `doghouse.toml(5)`.
pub(crate) fn write_configuration(date: &str, folder: &Path) -> io::Result<()> {
    let mut roff = Roff::new();
    let source = format!("Doghouse {}", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["doghouse.toml", "5", date, &source, ""]);
    let mut file = create(folder, "doghouse.toml.5")?;
    roff.to_writer(&mut file)?;
    file.write_all(CONFIGURATION.as_bytes())?;
    let mut sample = Roff::new();
    sample.control("nf", []);
    for line in SAMPLE.lines() {
        sample.text([roman(line)]);
    }
    sample.control("fi", []);
    sample.to_writer(&mut file)?;
    file.flush()
}

fn create(folder: &Path, name: &str) -> io::Result<BufWriter<File>> {
    File::create(folder.join(name)).map(BufWriter::new)
}
